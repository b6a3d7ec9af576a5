package main

import "fmt"

// Selectors of a metric's series, by what the viewer has chosen. A rule's series and an alert carry
// no job.
const (
	ofTargets       = `cluster=~"$cluster", job=~"$job"`
	ofAccounts      = ofTargets + `, account=~"$account"`
	ofTypes         = ofAccounts + `, type=~"$type"`
	ofServer        = ofAccounts + `, uuid="$server"`
	ofServerTypes   = ofServer + `, type=~"$type"`
	ofRecordedTypes = `cluster=~"$cluster", account=~"$account", type=~"$type"`
	ofAlerts        = `cluster=~"$cluster", account=~"$account|", alertstate="firing", alertname=~"AliyunVulscan.+"`
)

// refusals matches the results of calls that fail until somebody mends the account's credentials or
// permissions.
const refusals = `(?i)(invalidaccesskeyid|signaturedoesnotmatch|incompletesignature|(invalid|missing)securitytoken|realname|invalidtimestamp|nopermission|forbidden|actionunauthorized).*`

const (
	bySubtask      = "cluster, account, uuid, server, task_id, type"
	bySubtaskError = bySubtask + ", code"
	byTask         = "cluster, account, task_id"
	byAccount      = "cluster, account"
	subtaskKeys    = "cluster, account, uuid, task_id, type"
)

// withShard adds the label shard to the series of an expression.
const withShard = `
  * on (cluster, job, instance) group_left (shard)
  max by (cluster, job, instance, shard) (aliyun_vulscan_exporter_shard_info{` + ofTargets + `})`

// once sums an expression over accounts and shards, by the labels `by`. Of replicas, which publish
// the same, the highest value counts. labels are those that the metric has beside the account.
func once(by, labels, expr string) string { return overReplicas("max", by, labels, expr) }

// mean is once, with the mean of the replicas. Values that are shares of one total add up to it
// although replicas see a change at different times.
func mean(by, labels, expr string) string { return overReplicas("avg", by, labels, expr) }

func overReplicas(pick, by, labels, expr string) string {
	if labels != "" {
		labels = ", " + labels
	}
	grouped := "sum"
	if by != "" {
		grouped = "sum by (" + by + ")"
	}
	return fmt.Sprintf("%s (%s by (cluster, account%s, shard) (\n  %s%s))", grouped, pick, labels, expr, withShard)
}

// watched counts the servers of each account. The states of one exporter are summed first, for
// replicas may disagree on a server's state.
func watched() string {
	return fmt.Sprintf("sum by (%s) (max by (%s, shard) (sum by (%s, job, instance) (aliyun_vulscan_servers{%s})%s))",
		byAccount, byAccount, byAccount, ofAccounts, withShard)
}

// unpolled counts the servers of each account whose last poll failed.
func unpolled() string {
	return once(byAccount, "state", `aliyun_vulscan_servers{`+ofAccounts+`, state="failing"}`)
}

// blind returns the accounts none of whose servers can be polled, as 1.
func blind() string { return "(" + unpolled() + " / " + watched() + " == 1)" }

// refused returns the accounts that are blind and whose calls are refused, as 1.
func refused() string {
	return fmt.Sprintf(`(%s
  and on (%s) increase(aliyun_vulscan_api_requests_total{%s, result=~"%s"}[5m]) > 0)`, blind(), byAccount, ofAccounts, refusals)
}

// quantile returns a quantile of a histogram, native or classic, whichever Prometheus has. over is
// how long before each point. Points without an observation are left out.
func quantile(q float64, metric, matchers, over, by string) string {
	list, classic := "", "le"
	if by != "" {
		list, classic = " by ("+by+")", by+", le"
	}
	return fmt.Sprintf(`(histogram_quantile(%g, sum%s (increase(%s{%s}[%s])))
  or histogram_quantile(%g, sum by (%s) (increase(%s_bucket{%s}[%s])))) >= 0`,
		q, list, metric, matchers, over, q, classic, metric, matchers, over)
}

// observed returns how many observations a histogram, native or classic, has had.
func observed(metric, matchers, over string) string {
	return fmt.Sprintf("(histogram_count(increase(%s{%s}[%s])) or increase(%s_count{%s}[%s]))", metric, matchers, over, metric, matchers, over)
}

// recorded returns what a recording rule has stored by account and type, or computes it where the
// rules are not loaded.
func recorded(rule, otherwise string) string {
	return fmt.Sprintf("max by (%s, type) (%s{%s})\nor %s", byAccount, rule, ofRecordedTypes, otherwise)
}

// ofErrors joins a metric of subtasks to the error codes that they report.
func ofErrors(metric, matchers string) string {
	return fmt.Sprintf("aliyun_vulscan_subtask_error{%s} * ignoring (code) group_left () %s{%s}", matchers, metric, matchers)
}
