// Package sas is the exporter's client for Security Center (product Sas, version 2018-12-03). It
// signs requests with alibaba-cloud-sdk-go, sends them over its own HTTP transport, decides whether
// an answer can be believed, and turns every failure into an [Error] of a few classes that is safe
// to log.
//
// It makes one attempt a call: when to call, how often, and what to do after a failure is the
// caller's business.
package sas
