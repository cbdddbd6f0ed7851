// The matrix's checks for github.com/zishang520/socket.io-client-go. Arguments: URL MODE.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/zishang520/engine.io-client-go/transports"
	"github.com/zishang520/engine.io/v2/events"
	"github.com/zishang520/engine.io/v2/types"
	"github.com/zishang520/socket.io-client-go/socket"
)

var (
	url     string
	mode    string
	tag     = fmt.Sprint(os.Getpid(), "-", time.Now().UnixNano())
	clients []*client
)

// A connected client whose events wait in channels.
type client struct {
	socket *socket.Socket
	queues map[string]chan any
}

// The library keeps its transports in a set without an order: an upgrade is tried until one has
// begun by polling. (Coming back, it may begin with either.)
func open() *client {
	for {
		c, first := connect()
		if mode != "upgrade" || first == "polling" {
			clients = append(clients, c)
			c.settled()
			return c
		}
		c.socket.Disconnect()
	}
}

// A connected client, and the transport that it began with.
func connect() (*client, string) {
	options := socket.DefaultOptions()
	options.SetReconnectionDelay(20)
	options.SetReconnectionDelayMax(100)
	options.SetForceNew(true)
	// The library starts to read before it listens for what it reads, and now and then misses that
	// it is open; then it waits out this time (20 s by default) and tries again.
	options.SetTimeout(500 * time.Millisecond)
	options.SetAutoConnect(false) // or it may be open before anyone listens
	switch mode {
	case "polling":
		options.SetTransports(types.NewSet(transports.Polling))
	case "websocket":
		options.SetTransports(types.NewSet(transports.WebSocket))
	default:
		options.SetTransports(types.NewSet(transports.Polling, transports.WebSocket))
	}
	manager := socket.NewManager(url, options)
	first := make(chan any, 16)
	manager.On("open", func(...any) { first <- manager.Engine().Transport().Name() })
	c := &client{manager.Socket("/", options), map[string]chan any{}}
	for _, name := range []string{"said", "told all", "told room", "connect", "disconnect"} {
		queue := make(chan any, 16)
		c.queues[name] = queue
		c.socket.On(events.EventName(name), func(args ...any) {
			if len(args) == 0 {
				args = []any{nil}
			}
			queue <- args[0]
		})
	}
	c.socket.On("question", func(args ...any) {
		args[1].(func([]any, error))([]any{map[string]any{"you": args[0]}}, nil)
	})
	c.socket.Connect()
	c.next("connect")
	return c, (<-first).(string)
}

// The next event of that name, unless another run was meant.
func (c *client) next(name string) any {
	for {
		value := taken(c.queues[name], name)
		message, tagged := value.(map[string]any)
		if !tagged || message["tag"] == nil || message["tag"] == tag {
			return value
		}
	}
}

func (c *client) ask(name string, value any) any {
	answer := make(chan any, 1)
	c.socket.EmitWithAck(name, value)(func(args []any, err error) {
		if err != nil {
			answer <- err.Error()
		} else {
			answer <- args[0]
		}
	})
	return taken(answer, "answer to "+name)
}

func (c *client) settled() {
	wanted := map[string]any{"transport": mode, "secure": strings.HasPrefix(url, "https:")}
	if mode == "upgrade" {
		wanted["transport"] = "websocket"
	}
	var who any
	for range 200 {
		if who = c.ask("who", nil); text(who) == text(wanted) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	expect(who, wanted)
}

// Failures are panics; `check` turns them into a line.
func taken(queue chan any, what string) any {
	select {
	case value := <-queue:
		return value
	case <-time.After(10 * time.Second):
		panic("no " + what + " within 10 s")
	}
}

func text(value any) string {
	if bytes, ok := value.(io.Reader); ok {
		value, _ = io.ReadAll(bytes)
	}
	if bytes, ok := value.([]byte); ok {
		return fmt.Sprint(bytes)
	}
	written, _ := json.Marshal(value) // keys in order
	return string(written)
}

func expect(got, wanted any) {
	if text(got) != text(wanted) {
		panic(text(got) + " instead of " + text(wanted))
	}
}

func message(text string) map[string]any {
	return map[string]any{"tag": tag, "text": text}
}

func textOf(message any) any {
	return message.(map[string]any)["text"]
}

func check(name string, body func()) {
	defer func() {
		if reason := recover(); reason != nil {
			fmt.Println("not ok", name, reason)
		} else {
			fmt.Println("ok", name)
		}
	}()
	body()
}

func main() {
	url, mode = os.Args[1], os.Args[2]
	check("connect", func() { open() })
	check("text", func() {
		value := map[string]any{"text": "ü€😀", "number": 1.5, "list": []any{1, nil, true, map[string]any{}}}
		clients[0].socket.Emit("say", value)
		expect(clients[0].next("said"), value)
	})
	check("binary", func() {
		clients[0].socket.Emit("say", []byte{0, 1, 127, 128, 255})
		expect(clients[0].next("said"), []byte{0, 1, 127, 128, 255})
	})
	check("ack", func() {
		value := map[string]any{"a": []any{1, "zwei"}}
		expect(clients[0].ask("echo", value), value)
	})
	check("asked", func() {
		expect(clients[0].ask("ask me", "why"), map[string]any{"answer": map[string]any{"you": "why"}})
	})
	check("broadcast", func() {
		open().socket.Emit("tell all", message("hello"))
		for _, each := range clients {
			expect(textOf(each.next("told all")), "hello")
		}
	})
	check("room", func() {
		member := open()
		member.ask("join", tag)
		clients[0].socket.Emit("tell room", message("members"))
		clients[0].socket.Emit("tell all", message("end"))
		expect(textOf(member.next("told room")), "members")
		expect(textOf(clients[0].next("told all")), "end")
		expect(len(clients[0].queues["told room"]), 0)
	})
	check("reconnect", func() {
		for _, other := range clients[1:] {
			other.socket.Disconnect()
		}
		fmt.Println("cut")
		clients[0].next("disconnect")
		fmt.Println("restore")
		clients[0].next("connect")
		clients[0].settled()
		expect(clients[0].ask("echo", "back"), "back")
	})
	for _, each := range clients {
		each.socket.Disconnect()
	}
}
