// Package simulator is a Security Center (Alibaba Cloud Sas, version 2018-12-03) that runs inside
// the process: for the demo, for tests and for benchmarks.
//
// It authenticates callers as the public gateway does (HMAC-SHA1 query signatures and
// ACS3-HMAC-SHA256), keeps their quota, and answers DescribeVulCheckTaskStatusDetail,
// DescribeOnceTask and DescribeCloudCenterInstances from made-up fleets. What a scan is doing is a
// pure function of the fleet, the server, the task, the type and the clock, so nothing is stored
// per subtask and memory does not grow with time.
//
// It starts no scans, keeps no data and knows nothing of the exporter: it was written from
// Alibaba's documentation alone and shares no code with the SDK, so that the two check one another.
package simulator
