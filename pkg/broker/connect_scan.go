package broker

import "bytes"

// scanConnect reads text, a JSON object, over o if it is as plain as client libraries write it: known keys in small letters, true,
// false, short numbers, and strings of ASCII without escapes. False means that it is not, or not valid, and that o is as before;
// parseConnect then leaves it to encoding/json. The two agree: FuzzScanConnect. encoding/json took 9 % of what a connection costs that
// comes and goes.
func scanConnect(text []byte, o *connectOptions) bool {
	s := connectScanner{rest: bytes.TrimRight(text, " ")}
	fresh := *o
	if !s.take('{') {
		return false
	}
	for first := true; !s.take('}'); first = false {
		if !first && !s.take(',') {
			return false
		}
		key, valid := s.text()
		if !valid || !s.take(':') || !s.value(&fresh, key) {
			return false
		}
	}
	if len(s.rest) != 0 {
		return false
	}
	*o = fresh
	return true
}

// connectScanner is what is left of a CONNECT.
type connectScanner struct{ rest []byte }

// skipBlanks goes past blanks.
func (s *connectScanner) skipBlanks() {
	for len(s.rest) > 0 && s.rest[0] == ' ' {
		s.rest = s.rest[1:]
	}
}

// take goes past b, and blanks in front of it, and reports whether it was there.
func (s *connectScanner) take(b byte) bool {
	s.skipBlanks()
	if len(s.rest) == 0 || s.rest[0] != b {
		return false
	}
	s.rest = s.rest[1:]
	return true
}

// text reads a string.
func (s *connectScanner) text() ([]byte, bool) {
	if !s.take('"') {
		return nil, false
	}
	for i, b := range s.rest {
		switch {
		case b == '"':
			text := s.rest[:i]
			s.rest = s.rest[i+1:]
			return text, true
		case b < ' ' || b == '\\' || b >= 0x7f:
			return nil, false
		}
	}
	return nil, false
}

// value reads the value of key into o.
func (s *connectScanner) value(o *connectOptions, key []byte) bool {
	switch string(key) {
	case "verbose":
		return s.flag(&o.Verbose)
	case "pedantic":
		return s.flag(&o.Pedantic)
	case "tls_required":
		return s.flag(&o.TLSRequired)
	case "echo":
		return s.flag(&o.Echo)
	case "headers":
		return s.flag(&o.Headers)
	case "no_responders":
		return s.flag(&o.NoResponders)
	case "new_account":
		return s.flag(&o.NewAccount)
	case "protocol":
		return s.number(&o.Protocol)
	case "name":
		return s.string(&o.Name)
	case "lang":
		return s.string(&o.Lang)
	case "version":
		return s.string(&o.Version)
	case "user":
		return s.string(&o.User)
	case "pass":
		return s.string(&o.Pass)
	case "auth_token":
		return s.string(&o.AuthToken)
	case "nkey":
		return s.string(&o.NKey)
	case "sig":
		return s.string(&o.Sig)
	case "jwt":
		return s.string(&o.JWT)
	case "account":
		return s.string(&o.Account)
	}
	return false
}

func (s *connectScanner) string(to *string) bool {
	text, valid := s.text()
	if valid {
		*to = string(text)
	}
	return valid
}

func (s *connectScanner) flag(to *bool) bool {
	s.skipBlanks()
	for _, word := range [...]string{"false", "true"} {
		if bytes.HasPrefix(s.rest, []byte(word)) {
			s.rest = s.rest[len(word):]
			*to = word == "true"
			return true
		}
	}
	return false
}

// number reads a number of one digit, which all versions of the protocol have.
func (s *connectScanner) number(to *int) bool {
	s.skipBlanks()
	if len(s.rest) < 2 || s.rest[0] < '0' || s.rest[0] > '9' || s.rest[1] != ',' && s.rest[1] != '}' {
		return false
	}
	*to = int(s.rest[0] - '0')
	s.rest = s.rest[1:]
	return true
}
