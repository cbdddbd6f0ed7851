import io.socket.client.Ack;
import io.socket.client.IO;
import io.socket.client.Socket;
import java.io.FileInputStream;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509TrustManager;
import okhttp3.OkHttpClient;
import org.json.JSONArray;
import org.json.JSONObject;

/** The matrix's checks for io.socket:socket.io-client. Arguments: URL MODE. */
public class Matrix {
    interface Check {
        void run() throws Exception;
    }

    static String url;
    static String[] transports;
    static final String TAG = UUID.randomUUID().toString();
    static final OkHttpClient http = client();
    static final List<Client> clients = new ArrayList<>();

    /** Trusts the certificate that SSL_CERT_FILE names, as the other programs do by themselves. */
    static OkHttpClient client() {
        var builder = new OkHttpClient.Builder().readTimeout(1, TimeUnit.MINUTES);
        String file = System.getenv("SSL_CERT_FILE");
        if (file == null) return builder.build();
        try (var in = new FileInputStream(file)) {
            KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
            store.load(null);
            store.setCertificateEntry(
                    "broker", CertificateFactory.getInstance("X.509").generateCertificate(in));
            var trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
            trust.init(store);
            SSLContext context = SSLContext.getInstance("TLS");
            context.init(null, trust.getTrustManagers(), null);
            return builder.sslSocketFactory(
                            context.getSocketFactory(), (X509TrustManager) trust.getTrustManagers()[0])
                    .build();
        } catch (Exception error) {
            throw new IllegalStateException(error);
        }
    }

    /** A connected client whose events wait in queues. */
    static class Client {
        final Socket socket;
        final Map<String, BlockingQueue<Object>> queues = new ConcurrentHashMap<>();

        Client() throws Exception {
            IO.Options options = new IO.Options();
            options.forceNew = true;
            options.transports = transports;
            options.reconnectionDelay = 20;
            options.reconnectionDelayMax = 100;
            options.callFactory = http;
            options.webSocketFactory = http;
            socket = IO.socket(url, options);
            for (String name : List.of("said", "told all", "told room", "connect", "disconnect")) {
                queues.put(name, new LinkedBlockingQueue<>());
                socket.on(name, args -> queues.get(name).add(args.length > 0 ? args[0] : name));
            }
            socket.on("question", args ->
                    ((Ack) args[1]).call(new JSONObject(Map.of("you", args[0]))));
            socket.connect();
            next("connect");
            settled();
        }

        /** The next event of that name, unless another run was meant. */
        Object next(String name) throws Exception {
            while (true) {
                Object value = taken(queues.get(name), name);
                if (!(value instanceof JSONObject) || !((JSONObject) value).has("tag")
                        || ((JSONObject) value).getString("tag").equals(TAG)) {
                    return value;
                }
            }
        }

        Object ask(String name, Object value) throws Exception {
            var answers = new LinkedBlockingQueue<Object>();
            socket.emit(name, new Object[] {value}, args -> answers.add(args[0]));
            return taken(answers, "answer to " + name);
        }

        void settled() throws Exception {
            String wanted = transports[transports.length - 1];
            JSONObject who = null;
            for (int tries = 0; tries < 200; tries++) {
                who = (JSONObject) ask("who", JSONObject.NULL);
                if (who.getString("transport").equals(wanted)) break;
                Thread.sleep(10);
            }
            expect(who.getString("transport"), wanted);
            expect(who.getBoolean("secure"), url.startsWith("https:"));
        }
    }

    static Object taken(BlockingQueue<Object> queue, String what) throws Exception {
        Object value = queue.poll(10, TimeUnit.SECONDS);
        if (value == null) throw new Exception("no " + what + " within 10 s");
        return value;
    }

    static void expect(Object got, Object wanted) throws Exception {
        if (!got.toString().equals(wanted.toString())) {
            throw new Exception(got + " instead of " + wanted);
        }
    }

    static JSONObject message(String text) throws Exception {
        return new JSONObject().put("tag", TAG).put("text", text);
    }

    static String textOf(Object message) throws Exception {
        return ((JSONObject) message).getString("text");
    }

    static void text() throws Exception {
        Socket socket = clients.get(0).socket;
        JSONArray list = new JSONArray("[1, null, true, {}]");
        socket.emit("say", new JSONObject().put("text", "ü€😀").put("number", 1.5).put("list", list));
        JSONObject back = (JSONObject) clients.get(0).next("said");
        expect(back.getString("text"), "ü€😀");
        expect(back.getDouble("number"), 1.5);
        expect(back.getJSONArray("list"), list);
    }

    static void binary() throws Exception {
        byte[] bytes = {0, 1, 127, -128, -1};
        clients.get(0).socket.emit("say", (Object) bytes);
        expect(Arrays.toString((byte[]) clients.get(0).next("said")), Arrays.toString(bytes));
    }

    static void ack() throws Exception {
        JSONObject value = new JSONObject("{\"a\": [1, \"zwei\"]}");
        expect(clients.get(0).ask("echo", value), value);
    }

    static void asked() throws Exception {
        JSONObject reply = (JSONObject) clients.get(0).ask("ask me", "why");
        expect(reply, new JSONObject("{\"answer\": {\"you\": \"why\"}}"));
    }

    static void broadcast() throws Exception {
        clients.add(new Client());
        clients.get(1).socket.emit("tell all", message("hello"));
        for (Client client : clients) expect(textOf(client.next("told all")), "hello");
    }

    static void room() throws Exception {
        Client member = new Client();
        clients.add(member);
        member.ask("join", TAG);
        clients.get(0).socket.emit("tell room", message("members"));
        clients.get(0).socket.emit("tell all", message("end"));
        expect(textOf(member.next("told room")), "members");
        expect(textOf(clients.get(0).next("told all")), "end");
        expect(clients.get(0).queues.get("told room").size(), 0);
    }

    static void reconnect() throws Exception {
        Client client = clients.get(0);
        for (Client other : clients.subList(1, clients.size())) other.socket.disconnect();
        System.out.println("cut");
        client.next("disconnect");
        System.out.println("restore");
        client.next("connect");
        client.settled();
        expect(client.ask("echo", "back"), "back");
    }

    static void check(String name, Check check) {
        try {
            check.run();
            System.out.println("ok " + name);
        } catch (Throwable error) { // the other checks still run
            System.out.println("not ok " + name + " " + error);
        }
    }

    public static void main(String[] args) {
        url = args[0];
        transports = args[1].equals("upgrade")
                ? new String[] {"polling", "websocket"} : new String[] {args[1]};
        check("connect", () -> clients.add(new Client()));
        check("text", Matrix::text);
        check("binary", Matrix::binary);
        check("ack", Matrix::ack);
        check("asked", Matrix::asked);
        check("broadcast", Matrix::broadcast);
        check("room", Matrix::room);
        check("reconnect", Matrix::reconnect);
        for (Client client : clients) client.socket.disconnect();
        System.exit(0); // OkHttp's threads linger
    }
}
