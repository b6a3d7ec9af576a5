package discovery

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"aliyun_vulscan_exporter/internal/simulator"
)

// startService discovers what a service lists, every ten minutes each.
func startService(t *testing.T, s *service, o Options) *world {
	t.Helper()
	if o.Tasks != nil {
		o.Tasks.RefreshInterval = 10 * time.Minute
	}
	w := startWorldOf(t, simulator.Options{Accounts: []simulator.Account{accountOf(simulator.Fleet{})}}, o, s.answer)
	pass(time.Minute)
	w.log.told()
	return w
}

// fail makes every call from the n-th on fail.
func fail(from, status int, code string) func(int, *pageOf) {
	return func(n int, p *pageOf) {
		if n >= from {
			p.status, p.code = status, code
		}
	}
}

func TestAnEmptyListAfterAFullOneHasToBeConfirmed(t *testing.T) {
	t.Parallel()
	kinds := map[string]struct {
		options Options
		count   func(Found) int
		at      func(Found) time.Time
		told    []string
	}{
		"servers": {
			Options{Servers: everyServer()},
			func(f Found) int { return len(f.Servers.Items) }, func(f Found) time.Time { return f.Servers.At },
			[]string{"level=warn", "kind=servers", "result=unconfirmed", "DescribeCloudCenterInstances for account", "nothing was found; 3 known entries"},
		},
		"tasks": {
			Options{Tasks: everyTask()},
			func(f Found) int { return len(f.Tasks.Items) }, func(f Found) time.Time { return f.Tasks.At },
			[]string{"level=warn", "kind=tasks", "result=unconfirmed", "DescribeOnceTask for account", "nothing was found; 3 known entries"},
		},
	}
	empty := func(s *service) { s.tasks, s.servers = nil, nil }
	for name, kind := range kinds {
		for next, count := range map[string]int{"confirmed": 0, "failed, then confirmed": 0, "refuted": 3} {
			t.Run(name+" "+next, func(t *testing.T) {
				inBubble(t, func(t *testing.T) {
					full := func(s *service) { s.tasks, s.servers = times(3, taskEntry), times(3, serverEntry) }
					s := &service{}
					full(s)
					w := startService(t, s, kind.options)
					wantEqual(t, "entries", kind.count(w.known()), 3)
					first := kind.at(w.known())

					s.set(empty)
					pass(10 * time.Minute)
					wantEqual(t, "entries after an empty list", kind.count(w.known()), 3)
					wantEqual(t, "last complete list", kind.at(w.known()), first)
					w.wantTold(kind.told)

					switch next {
					case "failed, then confirmed":
						s.set(func(s *service) { s.bend = fail(1, http.StatusForbidden, "NoPermission") })
						pass(10 * time.Minute)
						wantEqual(t, "entries after a failure", kind.count(w.known()), 3)
						w.wantTold([]string{"level=warn", "result=NoPermission"})
						s.set(empty)
					case "refuted":
						s.set(full)
					}
					pass(10 * time.Minute)
					wantEqual(t, "entries after another list", kind.count(w.known()), count)
					wantEqual(t, "last complete list is new", kind.at(w.known()).After(first), true)
					told := [][]string{{"level=info", "the list is complete"}}
					if count == 0 {
						told = append([][]string{{"level=warn", "the service lists none"}}, told...)
					}
					w.wantTold(told...)
					if next == "refuted" { // the next empty list is a first one again
						s.set(empty)
						pass(10 * time.Minute)
						wantEqual(t, "entries after an empty list", kind.count(w.known()), 3)
						w.wantTold(kind.told)
					}
				})
			})
		}
	}
}

// An account without anything is no reason for doubt.
func TestAnEmptyListIsCompleteWhereNothingWasKnown(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		w := startService(t, &service{}, Options{Servers: everyServer(), Tasks: everyTask()})
		for _, err := range []error{w.known().Servers.Err, w.known().Tasks.Err} {
			if err != nil {
				t.Error(err)
			}
		}
		wantEqual(t, "known", w.known().Servers.At.IsZero() || w.known().Tasks.At.IsZero(), false)
		pass(time.Hour)
		w.wantTold()
	})
}

func TestAnEntryLeavesWhenACompleteListLacksIt(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		s := &service{servers: times(250, serverEntry), tasks: times(5, taskEntry)}
		w := startService(t, s, Options{Servers: everyServer(), Tasks: everyTask()})
		s.set(func(s *service) {
			s.servers = append(slices.Delete(s.servers, 100, 200), serverEntry(900))
			s.tasks = slices.Delete(s.tasks, 1, 3)
		})
		pass(10 * time.Minute)
		servers := uuidsOf(w.known().Servers.Items)
		wantEqual(t, "servers", len(servers), 151)
		wantEqual(t, "a server that left", slices.Contains(servers, uuidOf(150)), false)
		wantEqual(t, "a new server", slices.Contains(servers, uuidOf(900)), true)
		wantEqual(t, "tasks", idsOf(w.known().Tasks.Items), "[task-0 task-3 task-4]")
		w.wantTold()
	})
}

func TestARefreshThatFailsHalfwayChangesNothing(t *testing.T) {
	t.Parallel()
	failures := map[string]struct {
		bend func(int, *pageOf)
		told []string
	}{
		"error":    {fail(2, http.StatusInternalServerError, "ServerError"), []string{"result=ServerError", "HTTP 500"}},
		"refusal":  {fail(2, http.StatusForbidden, "Forbidden.RAM"), []string{"result=Forbidden.RAM", "grant the RAM action yundun-sas:DescribeCloudCenterInstances"}},
		"throttle": {fail(3, http.StatusBadRequest, "Throttling.User"), []string{"result=Throttling.User"}},
		"HTML": {func(n int, p *pageOf) {
			if n >= 2 {
				p.whole = "<html>"
			}
		}, []string{"result=response", "the answer is not one JSON object"}},
		"no list": {func(n int, p *pageOf) {
			if n >= 2 {
				p.whole = `{"RequestId":"R","Instances":{}}`
			}
		}, []string{"result=response", "Instances is not a list"}},
	}
	for name, tt := range failures {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				s := &service{servers: times(250, serverEntry)}
				w := startService(t, s, Options{Servers: everyServer()})
				before := w.known().Servers
				s.set(func(s *service) {
					s.servers = times(300, func(i int) string { return serverEntry(1000 + i) })
					s.bend = tt.bend
				})
				pass(30 * time.Minute)
				after := w.known().Servers
				wantEqual(t, "servers stay", slices.Equal(uuidsOf(after.Items), uuidsOf(before.Items)), true)
				wantEqual(t, "last complete list", after.At, before.At)
				if after.Err == nil {
					t.Error("no error told")
				}
				w.wantTold(append(tt.told, "level=warn", "kind=servers", "what was known before stays", "entries=250", "last_complete=2000-01-01T00:00:00Z"))
				s.set(func(*service) {})
				pass(10 * time.Minute)
				wantEqual(t, "servers afterwards", len(w.known().Servers.Items), 300)
				wantEqual(t, "error afterwards", w.known().Servers.Err, nil)
				w.wantTold([]string{"level=info", "the list is complete", "entries=300"})
			})
		})
	}
}

// A doubtful list that was read to its end adds entries at once. It removes an entry only when the
// next list lacks it, too.
func TestDoubtfulListsTakeNothingAwayAtOnce(t *testing.T) {
	t.Parallel()
	const known = 250
	tests := map[string]struct {
		noTokens bool
		bend     func(n int, p *pageOf)
		told     string
		gone     int // when the doubtful list came twice
	}{
		"it shrinks while it is read": {true, func(n int, p *pageOf) {
			if n >= 2 {
				p.info = totalOf(240)
			}
			if n == 3 { // what followed has moved up, to a page that was read before
				p.entries = p.entries[10:]
			}
		}, "it shrank from 250 to 240 entries while it was read; 10 known entries", 10},
		"it ends early": {true, func(n int, p *pageOf) {
			if n >= 3 {
				p.entries = nil
			}
		}, "it ended after 200 of 250 entries; 50 known entries", 50},
		"its first page is empty": {true, func(_ int, p *pageOf) { p.entries = nil }, "it ended after 0 of 250 entries; 250 known entries", 250},
		"an empty page comes with a token": {false, func(n int, p *pageOf) {
			if n == 2 {
				p.entries = nil
			}
		}, "it ended with an empty page, though a token promised more; 150 known entries", 150},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				s := &service{servers: times(known, serverEntry), noTokens: tt.noTokens}
				w := startService(t, s, Options{Servers: everyServer()})
				w.log.told()
				doubtful := func(s *service) { s.bend = tt.bend }
				s.set(doubtful)
				pass(10 * time.Minute)
				wantEqual(t, "servers after a doubtful list", len(w.known().Servers.Items), known)
				w.wantTold([]string{"level=warn", "kind=servers", "result=unconfirmed", tt.told})
				s.set(doubtful)
				pass(10 * time.Minute)
				wantEqual(t, "servers after another", len(w.known().Servers.Items), known-tt.gone)
				var begins, ends [][]string
				if known == tt.gone {
					begins, ends = [][]string{{"level=warn", "the service lists none"}}, [][]string{{"level=info", "no longer: the service lists none"}}
				}
				w.wantTold(append(begins, []string{"level=info", "the list is complete"})...)
				s.set(func(*service) {})
				pass(10 * time.Minute)
				wantEqual(t, "servers after a good list", len(w.known().Servers.Items), known)
				w.wantTold(ends...)
			})
		})
	}
}

// An entry that one doubtful list lacks and the next one has stays. An entry that the next one
// lacks, too, goes with the list after that.
func TestDoubtfulListsConfirmOneAnother(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		s := &service{servers: times(6, serverEntry), noTokens: true}
		w := startService(t, s, Options{Servers: everyServer()})
		list := func(from, to int) {
			s.set(func(s *service) {
				s.bend = func(n int, p *pageOf) {
					p.entries = nil
					if n == 1 {
						p.entries = times(to-from, func(i int) string { return serverEntry(from + i) })
					}
				}
			})
			pass(10 * time.Minute)
		}
		sorted := func() []string { return slices.Sorted(slices.Values(uuidsOf(w.known().Servers.Items))) }
		upTo := func(from, to int) []string { return times(to-from, func(i int) string { return uuidOf(from + i) }) }
		list(0, 3)
		wantEqual(t, "servers", sorted(), upTo(0, 6))
		list(2, 5)
		wantEqual(t, "servers", sorted(), upTo(0, 5))
		list(2, 5)
		wantEqual(t, "servers", sorted(), upTo(2, 5))
	})
}
