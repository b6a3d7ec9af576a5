package discovery

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/go-kit/log"

	"aliyun_vulscan_exporter/internal/sas"
)

// A reload reads the lists anew, and what was known stays until they are read.
func TestWhatAnEarlierRunKnewStaysUntilAListLacksIt(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		s := &service{servers: times(3, serverEntry), tasks: times(3, taskEntry)}
		first := startService(t, s, Options{Servers: everyServer(), Tasks: everyTask()})
		first.stop()
		known := first.known()

		s.set(func(s *service) { s.servers, s.bend = nil, func(_ int, p *pageOf) { p.refuseTasks() } })
		w := startWorldOf(t, one(), Options{Servers: everyServer(), Tasks: everyTask(), Known: known}, s.answer)
		pass(time.Minute)
		wantEqual(t, "servers after an empty list", len(w.known().Servers.Items), 3)
		wantEqual(t, "tasks after a failure", len(w.known().Tasks.Items), 3)
		wantEqual(t, "last complete list", w.known().Tasks.At, known.Tasks.At)
		pass(10 * time.Minute)
		wantEqual(t, "servers after another", len(w.known().Servers.Items), 0)
	})
}

// The list that is read first does not hide what is known of the other.
func TestWhatAnEarlierRunKnewIsToldWithTheFirstList(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		known := Found{Servers: List[Server]{Items: []Server{{Instance: sas.Instance{UUID: uuidOf(1)}}}, At: time.Now()}}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var told []Found
		Run(ctx, Options{
			Account: "main", Tasks: everyTask(), Servers: everyServer(), Known: known, API: &heldBack{err: errors.New("x")},
			Logger: log.NewNopLogger(), Found: func(f Found) { told = append(told, f) },
		})
		wantEqual(t, "times told", len(told), 1)
		wantEqual(t, "servers", told[0].Servers, known.Servers)
	})
}

// The reload turns the discovery of one kind off.
func TestWhatIsNoLongerDiscoveredIsForgotten(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		known := Found{Servers: List[Server]{Items: []Server{{Instance: sas.Instance{UUID: uuidOf(1)}}}, At: time.Now()}}
		w := startWorldOf(t, one(), Options{Tasks: everyTask(), Known: known}, (&service{tasks: times(1, taskEntry)}).answer)
		pass(time.Second)
		wantEqual(t, "tasks", len(w.known().Tasks.Items), 1)
		wantEqual(t, "servers", w.known().Servers, List[Server]{})
	})
}
