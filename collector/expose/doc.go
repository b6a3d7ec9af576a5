// Package expose serves many series cheaply: it encodes them when they change, not when they are
// scraped.
//
// Series come in groups, from a Source. Of each group and each Encoding the Engine holds the
// encoded metrics of every Family, deflated where gzip is asked for, until the group changes; a
// scrape joins what is held. Handler serves the result over HTTP, among the families of an ordinary
// Gatherer. The package knows nothing of what the series mean and could serve any exporter.
package expose
