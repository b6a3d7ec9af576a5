package doctor

import (
	"encoding/json"
	"fmt"

	"aliyun_vulscan_exporter/config"
	"aliyun_vulscan_exporter/internal/sas"
)

// actions are the operations that an account's configuration needs.
func actions(a config.Account) []string {
	needed := []string{sas.ActionVulCheckTaskStatusDetail}
	if a.Discovery.Tasks != nil {
		needed = append(needed, sas.ActionOnceTask)
	}
	if a.Discovery.Servers != nil {
		needed = append(needed, sas.ActionInstances)
	}
	return needed
}

// permission is the RAM action that allows an operation.
func permission(action string) string { return "yundun-sas:" + action }

// policy is a RAM policy, as its console takes it.
type policy struct {
	Version   string
	Statement []statement
}

type statement struct {
	Effect   string
	Action   []string
	Resource string
}

// leastPolicy is the least that an account's configuration needs. The operations know no narrower
// resource than all.
func leastPolicy(a config.Account) policy {
	allow := statement{Effect: "Allow", Resource: "*"}
	for _, action := range actions(a) {
		allow.Action = append(allow.Action, permission(action))
	}
	return policy{Version: "1", Statement: []statement{allow}}
}

// assumePolicy is what the keys themselves need to assume the account's role.
func assumePolicy(a config.Account) policy {
	allow := statement{Effect: "Allow", Action: []string{"sts:AssumeRole"}, Resource: a.Credentials.RoleARN}
	return policy{Version: "1", Statement: []statement{allow}}
}

func (e *examination) printPolicy() {
	holder := "the account's user or role"
	if role := e.account.Credentials.RoleARN; role != "" {
		holder = "the role " + role
	}
	e.printJSON("least RAM policy for "+holder, leastPolicy(e.account))
	if c := e.account.Credentials; c.RoleARN != "" && c.OIDCTokenFile == "" {
		e.printJSON("and for the user whose keys assume it", assumePolicy(e.account))
	}
}

func (e *examination) printJSON(title string, p policy) {
	text, _ := json.Marshal(p) // of strings only: cannot fail
	fmt.Fprintf(e.out, "  %s:\n  %s\n", title, text)
}
