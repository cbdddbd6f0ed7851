//! The benchmark's contract on socketioxide, served by hyper.
//!
//! usage: peer --port N [--tls CERT KEY] [--threads N]

use std::collections::HashMap;
use std::error::Error;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use socketioxide::extract::{AckSender, Data, SocketRef, State};
use socketioxide::SocketIo;
use tokio::net::TcpSocket;
use tokio_rustls::rustls::pki_types::{pem::PemObject, CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::TlsAcceptor;

const EARTH_RADIUS: f64 = 6371008.8;
const CELL: f64 = 0.005; // degrees
const MAX_PAYLOAD: usize = 1_000_000;

#[derive(Deserialize, Serialize)]
struct Vehicle {
    id: String,
    seq: i64,
    time: f64,
    lat: f64,
    lng: f64,
    speed: f64,
    heading: f64,
    driver: String,
    status: String,
    passengers: i64,
}

#[derive(Deserialize)]
struct Commuter {
    id: String,
    lat: f64,
    lng: f64,
    max_walk: f64,
    direction: String,
}

#[derive(Deserialize)]
struct Query {
    lat: f64,
    lng: f64,
    radius: f64,
    seats: usize,
    direction: String,
}

#[derive(Serialize)]
struct Found {
    id: String,
    lat: f64,
    lng: f64,
    distance: f64,
}

/// Commuters by the cell that they stand in.
#[derive(Default)]
struct Grid {
    cells: HashMap<(i32, i32), Vec<Commuter>>,
}

impl Grid {
    fn cell(lat: f64, lng: f64) -> (i32, i32) {
        ((lat / CELL).floor() as i32, (lng / CELL).floor() as i32)
    }

    fn add(&mut self, commuter: Commuter) {
        let cell = Self::cell(commuter.lat, commuter.lng);
        self.cells.entry(cell).or_default().push(commuter);
    }

    fn query(&self, query: &Query) -> Vec<Found> {
        let height = (query.radius / EARTH_RADIUS).to_degrees();
        let width = height / (query.lat.abs() + height).to_radians().cos();
        let (top, left) = Self::cell(query.lat - height, query.lng - width);
        let (bottom, right) = Self::cell(query.lat + height, query.lng + width);
        let mut found: Vec<(f64, &Commuter)> = (top..=bottom)
            .flat_map(|row| (left..=right).map(move |column| (row, column)))
            .filter_map(|cell| self.cells.get(&cell))
            .flatten()
            .filter(|commuter| commuter.direction == query.direction)
            .map(|it| (haversine(query.lat, query.lng, it.lat, it.lng), it))
            .filter(|(distance, it)| *distance <= query.radius && *distance <= it.max_walk)
            .collect();
        found.sort_by(|a, b| a.0.total_cmp(&b.0));
        found.truncate(query.seats);
        found
            .into_iter()
            .map(|(distance, it)| Found { id: it.id.clone(), lat: it.lat, lng: it.lng, distance })
            .collect()
    }
}

fn haversine(lat1: f64, lng1: f64, lat2: f64, lng2: f64) -> f64 {
    let a = ((lat2 - lat1).to_radians() / 2.0).sin().powi(2)
        + lat1.to_radians().cos()
            * lat2.to_radians().cos()
            * ((lng2 - lng1).to_radians() / 2.0).sin().powi(2);
    2.0 * EARTH_RADIUS * a.sqrt().asin()
}

type Commuters = Arc<RwLock<Grid>>;

// Arrays of one: a tuple or an array is the list of arguments.
async fn on_connect(socket: SocketRef) {
    socket.on("join", async |socket: SocketRef, Data::<String>(room), ack: AckSender| {
        socket.join(room);
        ack.send(&()).ok();
    });
    socket.on("pub", async |socket: SocketRef, Data::<(String, Value)>((room, payload))| {
        socket.to(room).emit("msg", &[payload]).await.ok();
    });
    socket.on("echo", async |Data::<Value>(payload), ack: AckSender| {
        ack.send(&[payload]).ok();
    });
    socket.on("rebuild", async |Data::<Vehicle>(o), ack: AckSender| {
        ack.send(&Vehicle {
            id: o.id,
            seq: o.seq + 1,
            time: o.time,
            lat: o.lat,
            lng: o.lng,
            speed: o.speed,
            heading: o.heading,
            driver: o.driver,
            status: o.status,
            passengers: o.passengers,
        })
        .ok();
    });
    socket.on(
        "spawn",
        async |Data::<Vec<Commuter>>(list), State::<Commuters>(commuters), ack: AckSender| {
            let mut grid = commuters.write().unwrap();
            list.into_iter().for_each(|commuter| grid.add(commuter));
            ack.send(&()).ok();
        },
    );
    socket.on(
        "query",
        async |Data::<Query>(query), State::<Commuters>(commuters), ack: AckSender| {
            let found = commuters.read().unwrap().query(&query);
            ack.send(&found).ok();
        },
    );
}

#[derive(Default)]
struct Options {
    port: u16,
    threads: usize,
    tls: Option<(String, String)>,
}

fn options() -> Options {
    let mut options = Options { threads: 1, ..Options::default() };
    let mut args = std::env::args().skip(1);
    while let Some(name) = args.next() {
        let mut value = || args.next().expect("a value");
        match name.as_str() {
            "--port" => options.port = value().parse().expect("a port"),
            "--threads" => options.threads = value().parse().expect("a number"),
            "--tls" => options.tls = Some((value(), value())),
            "--deflate" => {
                eprintln!("unsupported: deflate"); // tungstenite has none
                std::process::exit(3);
            }
            other => panic!("unknown option {other}"),
        }
    }
    options
}

fn tls(certificate: &str, key: &str) -> Result<TlsAcceptor, Box<dyn Error>> {
    let chain = CertificateDer::pem_file_iter(certificate)?.collect::<Result<_, _>>()?;
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain, PrivateKeyDer::from_pem_file(key)?)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

async fn serve(options: Options) -> Result<(), Box<dyn Error>> {
    let (service, io) = SocketIo::builder()
        .ping_interval(Duration::from_secs(25))
        .ping_timeout(Duration::from_secs(20))
        .max_payload(MAX_PAYLOAD as u64)
        .ws_max_message_size(MAX_PAYLOAD)
        .ws_max_frame_size(MAX_PAYLOAD)
        // What a connection's queue of 128 packets, the default, can't take is lost.
        .max_buffer_size(10_000)
        .with_state(Commuters::default())
        .build_svc();
    io.ns("/", on_connect);

    let acceptor = options.tls.map(|(certificate, key)| tls(&certificate, &key)).transpose()?;
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(([127, 0, 0, 1], options.port).into())?;
    // The backlog holds a connect storm; what this server can't take yet, waits.
    let listener = socket.listen(4096)?;
    println!("listening");
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let (service, acceptor) = (service.clone(), acceptor.clone());
        tokio::spawn(async move {
            let http = http1::Builder::new();
            // A connection that breaks is its client's affair.
            if let Some(acceptor) = acceptor {
                let Ok(stream) = acceptor.accept(stream).await else { return };
                http.serve_connection(TokioIo::new(stream), service).with_upgrades().await.ok();
            } else {
                http.serve_connection(TokioIo::new(stream), service).with_upgrades().await.ok();
            }
        });
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = options();
    let mut runtime = match options.threads {
        1 => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    runtime.worker_threads(options.threads).enable_all().build()?.block_on(serve(options))
}
