// Package gzipjoin makes one gzip member (RFC 1952) of pieces of text that were deflated at
// different times. Its one job is that a long text of which little changes need not be compressed
// anew as a whole; what the text says it does not know.
package gzipjoin
