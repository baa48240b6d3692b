package broker

import "github.com/natsd/natsd/internal/sublist"

// globalAccount is the name of the account that connections belong to unless told otherwise.
const globalAccount = "$G"

// account is an isolated space of subjects. Every connection belongs to one, which owns the index of its
// subscriptions: nothing about subjects is global.
type account struct {
	name  string
	index *sublist.Index[*subscription]
}

func newAccount(name string) *account {
	return &account{name: name, index: sublist.New[*subscription]()}
}
