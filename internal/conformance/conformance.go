// Package conformance holds the daemon against servers that this project did not write: moto, ElasticMQ, versitygw and Prometheus. Its tests run the real binary as a
// process of its own, store flow log files through the SDK, and compare the page with the generator's ledger to the byte.
//
// The tests are built with the tag conformance alone, because they need the servers' programs; `make conformance` installs these and runs them.
package conformance
