// The benchmark's contract on zishang520/socket.io.
//
// usage: peer --port N [--tls CERT KEY] [--deflate] [--threads N]
package main

import (
	"fmt"
	"log"
	"math"
	"net"
	"net/http"
	"os"
	"runtime"
	"sort"
	"strconv"
	"sync"
	"time"

	"github.com/zishang520/socket.io/servers/socket/v3"
	"github.com/zishang520/socket.io/v3/pkg/types"
)

const (
	earthRadius = 6371008.8
	cellDegrees = 0.005
)

type cell struct{ row, column int }

type commuter struct {
	id        string
	lat, lng  float64
	maxWalk   float64
	direction string
}

// Commuters by the cell that they stand in.
type grid struct {
	sync.RWMutex
	cells map[cell][]commuter
}

func cellOf(lat, lng float64) cell {
	return cell{int(math.Floor(lat / cellDegrees)), int(math.Floor(lng / cellDegrees))}
}

func (g *grid) add(list []any) {
	g.Lock()
	defer g.Unlock()
	for _, item := range list {
		o := item.(map[string]any)
		c := commuter{
			id:        o["id"].(string),
			lat:       o["lat"].(float64),
			lng:       o["lng"].(float64),
			maxWalk:   o["max_walk"].(float64),
			direction: o["direction"].(string),
		}
		at := cellOf(c.lat, c.lng)
		g.cells[at] = append(g.cells[at], c)
	}
}

func (g *grid) query(lat, lng, radius float64, seats int, direction string) []any {
	type candidate struct {
		commuter *commuter
		distance float64
	}
	var near []candidate
	height := degrees(radius / earthRadius)
	width := height / math.Cos(radians(math.Abs(lat)+height))
	first, last := cellOf(lat-height, lng-width), cellOf(lat+height, lng+width)
	g.RLock()
	defer g.RUnlock()
	for row := first.row; row <= last.row; row++ {
		for column := first.column; column <= last.column; column++ {
			here := g.cells[cell{row, column}]
			for i := range here {
				c := &here[i]
				if c.direction != direction {
					continue
				}
				if d := haversine(lat, lng, c.lat, c.lng); d <= radius && d <= c.maxWalk {
					near = append(near, candidate{c, d})
				}
			}
		}
	}
	sort.Slice(near, func(i, j int) bool { return near[i].distance < near[j].distance })
	found := make([]any, 0, min(seats, len(near)))
	for _, it := range near[:min(seats, len(near))] {
		found = append(found, map[string]any{
			"id": it.commuter.id, "lat": it.commuter.lat, "lng": it.commuter.lng,
			"distance": it.distance,
		})
	}
	return found
}

func radians(degrees float64) float64 { return degrees * math.Pi / 180 }
func degrees(radians float64) float64 { return radians * 180 / math.Pi }

func haversine(lat1, lng1, lat2, lng2 float64) float64 {
	north, east := math.Sin(radians(lat2-lat1)/2), math.Sin(radians(lng2-lng1)/2)
	a := north*north + math.Cos(radians(lat1))*math.Cos(radians(lat2))*east*east
	return 2 * earthRadius * math.Asin(math.Sqrt(a))
}

func handle(client *socket.Socket, commuters *grid) {
	client.On("join", func(args ...any) {
		client.Join(socket.Room(args[0].(string)))
		args[1].(socket.Ack)(nil, nil)
	})
	client.On("pub", func(args ...any) {
		client.To(socket.Room(args[0].(string))).Emit("msg", args[1])
	})
	client.On("echo", func(args ...any) {
		args[1].(socket.Ack)([]any{args[0]}, nil)
	})
	client.On("rebuild", func(args ...any) {
		o := args[0].(map[string]any)
		args[1].(socket.Ack)([]any{map[string]any{
			"id":         o["id"],
			"seq":        o["seq"].(float64) + 1,
			"time":       o["time"],
			"lat":        o["lat"],
			"lng":        o["lng"],
			"speed":      o["speed"],
			"heading":    o["heading"],
			"driver":     o["driver"],
			"status":     o["status"],
			"passengers": o["passengers"],
		}}, nil)
	})
	client.On("spawn", func(args ...any) {
		commuters.add(args[0].([]any))
		args[1].(socket.Ack)(nil, nil)
	})
	client.On("query", func(args ...any) {
		q := args[0].(map[string]any)
		args[1].(socket.Ack)([]any{commuters.query(
			q["lat"].(float64), q["lng"].(float64), q["radius"].(float64),
			int(q["seats"].(float64)), q["direction"].(string))}, nil)
	})
}

type options struct {
	port             string
	certificate, key string
	deflate          bool
	threads          int
}

func parse(args []string) options {
	parsed := options{threads: 1}
	next := func() (value string) {
		if len(args) == 0 {
			log.Fatal("a value is missing")
		}
		value, args = args[0], args[1:]
		return value
	}
	for len(args) > 0 {
		switch name := next(); name {
		case "--port":
			parsed.port = next()
		case "--tls": // two values: more than package flag can do
			parsed.certificate, parsed.key = next(), next()
		case "--deflate":
			parsed.deflate = true
		case "--threads":
			parsed.threads, _ = strconv.Atoi(next())
		default:
			log.Fatalf("unknown option %s", name)
		}
	}
	return parsed
}

func main() {
	args := parse(os.Args[1:])
	runtime.GOMAXPROCS(args.threads)

	opts := socket.DefaultServerOptions()
	opts.SetServeClient(false)
	opts.SetPingInterval(25 * time.Second)
	opts.SetPingTimeout(20 * time.Second)
	opts.SetMaxHttpBufferSize(1000000)
	if args.deflate {
		opts.SetPerMessageDeflate(&types.PerMessageDeflate{Threshold: 1024})
	}
	io := socket.NewServer(nil, opts)
	commuters := &grid{cells: make(map[cell][]commuter)}
	io.On("connection", func(clients ...any) {
		handle(clients[0].(*socket.Socket), commuters)
	})
	http.Handle("/socket.io/", io.ServeHandler(opts))

	listener, err := net.Listen("tcp", "127.0.0.1:"+args.port)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("listening")
	if args.certificate != "" {
		log.Fatal(http.ServeTLS(listener, nil, args.certificate, args.key))
	}
	log.Fatal(http.Serve(listener, nil))
}
