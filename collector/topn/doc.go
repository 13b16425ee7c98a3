// Package topn ranks identities by bytes in bounded memory and says which of them have series of their own.
package topn
