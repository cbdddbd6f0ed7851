//! The matrix's checks for rust_socketio. Arguments: URL MODE.

use rust_socketio::client::Client as Socket;
use rust_socketio::{ClientBuilder, Event, Payload, TransportType};
use serde_json::{json, Value};
use std::collections::HashMap;
use std::sync::mpsc::{channel, Receiver};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const DEADLINE: Duration = Duration::from_secs(10);
type Outcome = Result<(), String>;

struct Run {
    url: String,
    mode: String,
    tag: String,
    clients: Vec<Client>,
}

/// A connected client whose events wait in queues.
struct Client {
    socket: Socket,
    queues: HashMap<&'static str, Receiver<Value>>,
}

/// Binary as a list of numbers, like any other value.
fn value(payload: Payload) -> Value {
    match payload {
        Payload::Binary(bytes) => json!(bytes.to_vec()),
        Payload::Text(values) => values.into_iter().next().unwrap_or(Value::Null),
        _ => Value::Null,
    }
}

fn taken(queue: &Receiver<Value>, what: &str) -> Result<Value, String> {
    queue.recv_timeout(DEADLINE).map_err(|_| format!("no {what} within 10 s"))
}

fn expect(got: &Value, wanted: &Value) -> Outcome {
    if got == wanted {
        Ok(())
    } else {
        Err(format!("{got} instead of {wanted}"))
    }
}

impl Client {
    fn emit(&self, name: &str, payload: impl Into<Payload>) -> Outcome {
        self.socket.emit(name, payload).map_err(|error| error.to_string())
    }

    fn ask(&self, name: &str, question: Value) -> Result<Value, String> {
        let (answered, answer) = channel();
        let done = move |payload: Payload, _| {
            // An acknowledgement's arguments arrive as one list.
            let _ = answered.send(match value(payload) {
                Value::Array(arguments) => arguments.into_iter().next().unwrap_or(Value::Null),
                other => other,
            });
        };
        self.socket
            .emit_with_ack(name, question, DEADLINE, done)
            .map_err(|error| error.to_string())?;
        taken(&answer, name)
    }

    fn next(&self, name: &str) -> Result<Value, String> {
        taken(&self.queues[name], name)
    }
}

impl Run {
    fn open(&self) -> Result<Client, String> {
        let mut builder = ClientBuilder::new(&self.url)
            .transport_type(match self.mode.as_str() {
                "polling" => TransportType::Polling,
                "websocket" => TransportType::Websocket,
                _ => TransportType::WebsocketUpgrade,
            })
            .reconnect_delay(20, 100);
        let mut queues = HashMap::new();
        for (name, event) in [
            ("connect", Event::Connect),
            ("close", Event::Close),
            ("error", Event::Error),
            ("said", Event::from("said")),
            ("told all", Event::from("told all")),
            ("told room", Event::from("told room")),
        ] {
            let (told, queue) = channel();
            let tag = self.tag.clone();
            builder = builder.on(event, move |payload, _| {
                let value = value(payload);
                // What another run was told is none of ours.
                if value.get("tag").map_or(true, |other| other == tag.as_str()) {
                    let _ = told.send(value);
                }
            });
            queues.insert(name, queue);
        }
        let socket = builder.connect().map_err(|error| error.to_string())?;
        let client = Client { socket, queues };
        client.next("connect")?;
        self.settled(&client)?;
        Ok(client)
    }

    fn settled(&self, client: &Client) -> Outcome {
        let transport = if self.mode == "polling" { "polling" } else { "websocket" };
        let wanted = json!({ "transport": transport, "secure": self.url.starts_with("https:") });
        let mut who = Value::Null;
        for _ in 0..200 {
            who = client.ask("who", Value::Null)?;
            if who == wanted {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        expect(&who, &wanted)
    }

    fn message(&self, text: &str) -> Value {
        json!({ "tag": self.tag, "text": text })
    }

    fn first(&self) -> Result<&Client, String> {
        self.clients.first().ok_or_else(|| "not connected".to_string())
    }

    fn text(&mut self) -> Outcome {
        let value = json!({ "text": "ü€😀", "number": 1.5, "list": [1, null, true, {}] });
        self.first()?.emit("say", value.clone())?;
        expect(&self.first()?.next("said")?, &value)
    }

    fn binary(&mut self) -> Outcome {
        let bytes = vec![0u8, 1, 127, 128, 255];
        self.first()?.emit("say", bytes.clone())?;
        expect(&self.first()?.next("said")?, &json!(bytes))
    }

    fn ack(&mut self) -> Outcome {
        let value = json!({ "a": [1, "zwei"] });
        expect(&self.first()?.ask("echo", value.clone())?, &value)
    }

    fn broadcast(&mut self) -> Outcome {
        self.first()?;
        self.clients.push(self.open()?);
        self.clients[1].emit("tell all", self.message("hello"))?;
        for client in &self.clients {
            expect(&client.next("told all")?["text"], &json!("hello"))?;
        }
        Ok(())
    }

    fn room(&mut self) -> Outcome {
        self.first()?;
        let member = self.open()?;
        member.ask("join", json!(self.tag))?;
        self.first()?.emit("tell room", self.message("members"))?;
        self.first()?.emit("tell all", self.message("end"))?;
        expect(&member.next("told room")?["text"], &json!("members"))?;
        expect(&self.first()?.next("told all")?["text"], &json!("end"))?;
        self.clients.push(member);
        match self.first()?.queues["told room"].try_recv() {
            Ok(stray) => Err(format!("received {stray} without being in the room")),
            Err(_) => Ok(()),
        }
    }

    fn reconnect(&mut self) -> Outcome {
        self.first()?;
        for other in self.clients.drain(1..) {
            let _ = other.socket.disconnect();
        }
        let client = self.first()?;
        println!("cut");
        client.next("close")?;
        println!("restore");
        client.next("connect")?;
        self.settled(client)?;
        expect(&client.ask("echo", json!("back"))?, &json!("back"))
    }
}

fn report(name: &str, outcome: Outcome) {
    match outcome {
        Ok(()) => println!("ok {name}"),
        Err(reason) => println!("not ok {name} {reason}"),
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    let mut run = Run {
        url: arguments[1].clone(),
        mode: arguments[2].clone(),
        tag: format!("rust-{}-{now}", std::process::id()),
        clients: Vec::new(),
    };
    report("connect", run.open().map(|client| run.clients.push(client)));
    report("text", run.text());
    report("binary", run.binary());
    report("ack", run.ack());
    println!("skip asked rust_socketio 0.6 gives handlers no way to acknowledge an event");
    report("broadcast", run.broadcast());
    report("room", run.room());
    report("reconnect", run.reconnect());
    for client in &run.clients {
        let _ = client.socket.disconnect();
    }
    std::process::exit(0); // its threads linger
}
