package broker

// publishKin publishes the messages that follow m in the read buffer and whose subjects differ from its subject in one token, if they go where
// m went, which has the matches r, those of the open run. Nothing but their own control lines is looked at. It is tried for the second
// message in a row to the same subscribers, and for every 16th at least of many that have not been kin.
//
// Hot path: once per message that is not on the subject of the one before; 0 allocs/op.
func (c *conn) publishKin(w *worker, m message, r *matches, id *identity) {
	const rarely = 16
	if w.run.strangers&(w.run.strangers-1) == 0 || w.run.strangers%rarely == 0 {
		if n := c.publishRow(w, m, r, id); n.messages > 0 {
			w.received.messages += n.messages
			w.received.bytes += n.bytes
			w.run.strangers = 0
			return
		}
	}
	w.run.strangers++
}

// publishRow is publishKin without that, and returns what it has published.
func (c *conn) publishRow(w *worker, m message, r *matches, id *identity) (n tally) {
	// The limit of a user is left to publish.
	if id.tooMuch > 0 || !c.brisk(w, m, r, id, false) {
		return n
	}
	kin, ok := w.parser.Kin(w.in[w.start:w.end])
	// What stands before the token says whether a subject is reserved, or of responses.
	if !ok || kin.At == 0 || m.Subject[0] == '_' && kin.At < len(w.b.responsePrefix) {
		return n
	}
	index := id.account.index
	// In this order: if m had subscriptions that others have not, and they have just gone, it has another result now.
	if !index.AnyToken(m.Subject, kin.At) || w.reader.Match(index, m.Subject) != r {
		return n
	}
	for {
		length := w.parser.NextKin(w.in[w.start:w.end], kin)
		if length == 0 {
			return n
		}
		if index.Own(m.Subject) {
			w.parser.Forget() // it is parsed once more, and is not the one before itself
			return n
		}
		w.start += length
		n.messages++
		n.bytes += int64(m.Size)
		w.extend(m)
	}
}
