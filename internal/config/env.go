package config

import (
	"cmp"
	"slices"
	"strings"

	"github.com/natsd/natsd/pkg/confparse"
)

// kubernetesHint explains the variables that Kubernetes sets in every container for a Service of the same name.
const kubernetesHint = "Kubernetes sets it for a Service called natsd; set enableServiceLinks: false in the pod, or NATSD_PORT to the port you want"

// envNames returns the options that environment variables can set, by variable.
func envNames() map[string]Entry {
	names := make(map[string]Entry)
	for _, e := range All() {
		if name := e.EnvVar(); name != "" {
			names[name] = e
		}
	}
	return names
}

// EnvConfig is the environment variable that names the file.
const EnvConfig = EnvPrefix + "CONFIG"

// envLayer returns the options that the environment sets. An empty variable counts as unset. environ is the
// environment as NAME=VALUE. Source: docs/spec/cli.md §3, last paragraph.
func (c *checker) envLayer(environ []string) layer {
	l := make(layer)
	names := envNames()
	type variable struct {
		Entry
		name, text string
	}
	var found []variable
	for _, line := range environ {
		name, text, _ := strings.Cut(line, "=")
		if !strings.HasPrefix(name, EnvPrefix) || text == "" || name == EnvConfig {
			continue
		}
		if e, known := names[name]; known {
			found = append(found, variable{e, name, text})
		} else {
			c.unknownVariable(name, names)
		}
	}
	// Endpoints come first: what names a host or a port alone says more.
	slices.SortStableFunc(found, func(a, b variable) int {
		return cmp.Or(b2i(b.Type == Endpoint)-b2i(a.Type == Endpoint), strings.Compare(a.name, b.name))
	})
	for _, v := range found {
		c.variable(l, v.Entry, v.name, v.text)
	}
	return l
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// unknownVariable warns about a variable that looks as if it was meant for natsd. Those that Kubernetes sets do not.
func (c *checker) unknownVariable(name string, names map[string]Entry) {
	if isServiceVariable(name) {
		return
	}
	var known []string
	for other := range names {
		known = append(known, other)
	}
	slices.Sort(known)
	hint := `"natsd config env" lists the names`
	if near := Nearest(name, known); near != "" {
		hint = "did you mean " + strings.ToUpper(near) + "?"
	}
	c.warn(confparse.Pos{}, 0, hint, "environment variable %s is not known", name)
}

// isServiceVariable reports whether Kubernetes sets a variable of this name for a Service.
func isServiceVariable(name string) bool {
	rest := strings.TrimPrefix(name, EnvPrefix)
	if strings.HasPrefix(rest, "SERVICE_") {
		return true
	}
	port, isPort := strings.CutPrefix(rest, "PORT_")
	return isPort && port != "" && port[0] >= '0' && port[0] <= '9'
}

// variable adds what one environment variable says. Errors never show its text, which may be a secret.
func (c *checker) variable(l layer, e Entry, name, text string) {
	if scheme, _, isURL := strings.Cut(text, "://"); isURL && e.Type == Integer && (scheme == "tcp" || scheme == "udp") {
		c.report(confparse.Pos{}, 0, kubernetesHint, "environment variable %s holds a %s:// address, not a port", name, scheme)
		return
	}
	origin := Origin{Layer: FromEnv, Name: name}
	switch e.Path {
	case clusterListenPath:
		if err := l.clusterURL(origin, text); err != nil {
			c.report(confparse.Pos{}, 0, "", "environment variable %s: %v", name, err)
		}
		c.needs(e, "environment variable "+name)
		return
	case routesPath:
		l.routes(origin, text)
		c.needs(e, "environment variable "+name)
		return
	}
	value := e.valueFromText(text)
	if e.Path == tlsPath {
		if _, err := boolOf(value); err != nil {
			c.report(confparse.Pos{}, 0, "", "environment variable %s: %v", name, err)
			return
		}
	} else if warning, err := e.checkValue(value); err != nil {
		c.add(confparse.Pos{}, 0, "", "environment variable %s: %v", name, e.hideSecret(err)).Err = err
		return
	} else if warning != "" {
		c.warn(confparse.Pos{}, 0, "", "environment variable %s %s", name, warning)
	}
	origin.Text = e.show(value)
	l.set(e, &given{value, origin})
	c.needs(e, "environment variable "+name)
}

// needs reports an option of a feature that is missing.
func (c *checker) needs(e Entry, what string) {
	if !c.features[e.Feature] {
		c.report(confparse.Pos{}, 0, "", "%s is not supported by this version", what)
	}
}
