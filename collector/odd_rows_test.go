package collector_test

import "strings"

func oddStatuses() []oddAnswer {
	return []oddAnswer{
		{"a number", status(`3`), []string{"t1/cve/3"}, "wrong_type:1", ""},
		{"the number that completes", status(`4`), []string{"t1/cve/4"}, "wrong_type:1", ""},
		{"a fraction of nothing", status(`"4.0"`), []string{"t1/cve/4"}, "", ""},
		{"a fraction", status(`2.5`), []string{"t1/cve/2.5"}, "wrong_type:1 status_unknown:1", ""},
		{"beyond the documented", status(`"5"`), []string{"t1/cve/5"}, "status_unknown:1", ""},
		{"negative", status(`"-1"`), []string{"t1/cve/-1"}, "status_unknown:1", ""},
		{"negative zero", status(`"-0"`), []string{"t1/cve/0"}, "", ""},
		{"huge", status(`"99999999999999999999"`), []string{"t1/cve/1e+20"}, "status_unknown:1", ""},
		{"beyond float64", status(`1e400`), nil, "status_invalid:1", ""},
		{"a word", status(`"done"`), nil, "status_invalid:1", ""},
		{"NaN", status(`"NaN"`), nil, "status_invalid:1", ""},
		{"infinity", status(`"+Inf"`), nil, "status_invalid:1", ""},
		{"hexadecimal", status(`"0x4"`), nil, "status_invalid:1", ""},
		{"padded", status(`" 4"`), nil, "status_invalid:1", ""},
		{"empty", status(`""`), nil, "status_invalid:1", ""},
		{"null", status(`null`), nil, "status_invalid:1", ""},
		{"true", status(`true`), nil, "status_invalid:1", ""},
		{"an object", status(`{"a":1}`), nil, "status_invalid:1", ""},
		{"absent", entries(`[{"Type":"cve"}]`), nil, "status_invalid:1", ""},
		{"a word with a code", entries(`[{"Type":"cve","Status":"done","Code":"C"}]`), []string{"t1/cve//C"}, "status_invalid:1", ""},
	}
}

func oddCodes() []oddAnswer {
	return []oddAnswer{
		{"code null", code(`null`), []string{"t1/cve/4"}, "", ""},
		{"code empty", code(`""`), []string{"t1/cve/4"}, "", ""},
		{"code white", code(`" \t\n"`), []string{"t1/cve/4"}, "", ""},
		{"code a number", code(`500`), []string{"t1/cve/4/500"}, "wrong_type:1", ""},
		{"code an object", code(`{"a":1}`), []string{`t1/cve/4/{\"a\":1}`}, "wrong_type:1", ""},
		{"code with quotes", code(`"a\"b\\c"`), []string{`t1/cve/4/a\"b\\c`}, "", ""},
		{"code with newlines", code(`"a\nb\r"`), []string{"t1/cve/4/a\\nb\r"}, "", ""},
		{"code with braces", code(`"}\n# HELP x"`), []string{`t1/cve/4/}\n# HELP x`}, "", ""},
		{"code of invalid UTF-8", code("\"a\xff\xfeb\""), []string{"t1/cve/4/a\uFFFD\uFFFDb"}, "invalid_utf8:1", ""},
		{"code of half a surrogate", code(`"a\ud800b"`), []string{"t1/cve/4/a\uFFFDb"}, "", ""},
		{"code of 5000 bytes", code(`"` + strings.Repeat("x", 5000) + `"`), []string{"t1/cve/4/" + strings.Repeat("x", 128)}, "text_clipped:1", ""},
		{"code of 5000 bytes in runes", code(`"x` + strings.Repeat("é", 2500) + `"`), []string{"t1/cve/4/x" + strings.Repeat("é", 63)}, "text_clipped:1", ""},
	}
}

func oddLists() []oddAnswer {
	const fine = `{"Type":"cve","Status":"1"}`
	return []oddAnswer{
		{"no subtask", tasks(`[]`), nil, "", ""},
		{"tasks null", tasks(`null`), nil, "null_list:1", ""},
		{"tasks an object", tasks(`{}`), nil, "", "response"},
		{"tasks missing", ok(`{"RequestId":"R","TotalCount":1}`), nil, "", "response"},
		{"tasks in another case", ok(`{"RequestId":"R","TotalCount":1,"taskStatuses":[]}`), nil, "", "response"},
		{"a task null", tasks(`[null,{"TaskId":"t1","TaskStatusList":[` + fine + `]}]`), []string{"t1/cve/1"}, "malformed_entry:1", ""},
		{"subtasks null", entries(`null`), nil, "null_list:1", ""},
		{"subtasks missing", tasks(`[{"TaskId":"t1"}]`), nil, "missing_list:1", ""},
		{"subtasks a string", entries(`"none"`), nil, "malformed_entry:1", ""},
		{"entries of all kinds", entries(`[null,1,"a",[],` + fine + `]`), []string{"t1/cve/1"}, "malformed_entry:4", ""},
		{"a subtask twice", entries(`[{"Type":"cve","Status":"4","Code":"C"},` + fine + `]`), []string{"t1/cve/1"}, "duplicate:1", ""},
		{
			"a task twice", tasks(`[{"TaskId":"t1","TaskStatusList":[{"Type":"cve","Status":"2"}]},{"TaskId":"t1","TaskStatusList":[` + fine + `]}]`),
			[]string{"t1/cve/1"},
			"duplicate:1", "",
		},
		{"fields twice", entries(`[{"Type":"cve","Status":"2","Status":"1"}]`), []string{"t1/cve/1"}, "", ""},
		{"fields nobody knows", entries(`[{"Type":"cve","Status":"1","status":"2","New":{"a":[1]}}]`), []string{"t1/cve/1"}, "", ""},
		{
			"another server's tasks too", tasks(`[{"TaskId":"t2","TaskStatusList":[` + fine + `]},{"TaskId":"t1","TaskStatusList":[` + fine + `]}]`),
			[]string{"t2/cve/1", "t1/cve/1"},
			"", "",
		},
	}
}

func oddFields() []oddAnswer {
	fine := `"TaskStatuses":[{"TaskId":"t1","TaskStatusList":[{"Type":"cve","Status":"1"}]}]`
	published := []string{"t1/cve/1"}
	return []oddAnswer{
		{"a type not asked for", entries(`[{"Type":"cms","Status":"1"}]`), []string{"t1/cms/1"}, "type_not_asked:1", ""},
		{"a type nobody knows", entries(`[{"Type":"new","Status":"1"}]`), []string{"t1/new/1"}, "type_not_asked:1", ""},
		{"a type missing", entries(`[{"Status":"1"}]`), []string{"t1//1"}, "missing_id:1", ""},
		{"a type null", entries(`[{"Type":null,"Status":"1"}]`), []string{"t1//1"}, "missing_id:1", ""},
		{"a task ID missing", tasks(`[{"TaskStatusList":[{"Type":"cve","Status":"1"}]}]`), []string{"/cve/1"}, "missing_id:1", ""},
		{"a task ID as a number", tasks(`[{"TaskId":16190385,"TaskStatusList":[{"Type":"cve","Status":"1"}]}]`), []string{"16190385/cve/1"}, "wrong_type:1", ""},
		{"a count missing", ok(`{"RequestId":"R",` + fine + `}`), published, "total_count_invalid:1", ""},
		{"a count null", ok(`{"RequestId":"R","TotalCount":null,` + fine + `}`), published, "total_count_invalid:1", ""},
		{"a count below 0", ok(`{"RequestId":"R","TotalCount":-1,` + fine + `}`), published, "total_count_invalid:1", ""},
		{"a count too large", ok(`{"RequestId":"R","TotalCount":1e99,` + fine + `}`), published, "total_count_invalid:1", ""},
		{"a count as a string", ok(`{"RequestId":"R","TotalCount":"1",` + fine + `}`), published, "wrong_type:1", ""},
		{"a request ID as a number", ok(`{"RequestId":1,"TotalCount":1,` + fine + `}`), published, "wrong_type:1", ""},
		{"no request ID", ok(`{"TotalCount":1,` + fine + `}`), nil, "", "response"},
		{"a code empty in an answer", ok(`{"Code":"","RequestId":"R","TotalCount":1,` + fine + `}`), published, "", ""},
		{"status 201", reply{status: 201, body: subtasks("t1/cve/1")}, published, "", ""},
	}
}

func oddFailures() []oddAnswer {
	const html = "<html><body>Bad gateway</body></html>"
	failed := func(name string, status int, body, result string) oddAnswer {
		return oddAnswer{name: name, reply: reply{status: status, body: body}, result: result}
	}
	fine := subtasks("t9/cve/1")
	return []oddAnswer{
		failed("empty", 200, "", "response"),
		failed("no content", 204, "", "response"),
		failed("null", 200, "null", "response"),
		failed("an empty object", 200, "{}", "response"),
		failed("an array", 200, "["+fine+"]", "response"),
		failed("a string", 200, `"fine"`, "response"),
		failed("truncated", 200, fine[:len(fine)-3], "response"),
		failed("followed by more", 200, fine+"{}", "response"),
		failed("nested without end", 200, `{"RequestId":"R","TaskStatuses":`+strings.Repeat("[", 20000), "response"),
		failed("HTML", 200, html, "response"),
		failed("HTML with 502", 502, html, "response"),
		failed("HTML with 403", 403, html, "response"),
		failed("larger than 4 MiB", 200, fine+strings.Repeat(" ", 5<<20), "response"),
		failed("an error inside a 200", 200, `{"RequestId":"R","Code":"ServerError","TaskStatuses":[]}`, "ServerError"),
		failed("a code that is a number inside a 200", 200, `{"RequestId":"R","Code":500,"TaskStatuses":[]}`, "500"),
		failed("an error with a number as code", 400, `{"RequestId":"R","Code":404}`, "404"),
		failed("an error with an object as code", 400, `{"RequestId":"R","Code":{"a":1}}`, `{"a":1}`),
		failed("an error with null as code", 400, `{"RequestId":"R","Code":null}`, "response"),
		failed("an error that is an array", 500, `[1]`, "response"),
		failed("an error that is empty", 500, "", "response"),
		failed("an answer with 500", 500, fine, "response"),
		failed("an error nobody knows", 400, `{"RequestId":"R","Code":"Brand.New"}`, "Brand.New"),
		{name: "a redirect", reply: reply{status: 302, header: "Location: http://127.0.0.1:1/", body: html}, result: "response"},
		{name: "a redirect that keeps the method", reply: reply{status: 307, header: "Location: https://other.example/", body: fine}, result: "response"},
		{name: "less than announced", reply: reply{header: "Content-Length: 5000", body: fine}, result: "connection"},
	}
}
