// A user of the orders app: a token, the socket and the paths that it opens.

export class Account {
  /// `type` is "customer", "driver" or "merchant"; the demo gives tokens for all.
  constructor(type) {
    this.type = type;
    this.id = "demo";
    // A function: every attempt brings a token that is still good, of the broker that is there now.
    this.socket = io("/events", {
      auth: async (done) => done({ token: await this.fresh_token() }),
      reconnectionDelay: 300, reconnectionDelayMax: 2000, autoConnect: false,
    });
    // A broker that ends says so, and the client would take it for the last word.
    this.socket.on("disconnect", (reason) => {
      if (reason === "io server disconnect") setTimeout(() => this.socket.connect(), 500);
    });
    setInterval(() => this.refresh(), 20 * 60 * 1000);
  }

  connect() {
    this.socket.connect();
  }

  /// Hears an event and acknowledges it, so that the broker need not keep it.
  on(event, handle) {
    this.socket.on(event, (data, acknowledge) => {
      handle(data);
      if (typeof acknowledge === "function") acknowledge();
    });
  }

  async fresh_token() {
    const response = await fetch(`token/${this.type}`).catch(() => null);
    this.token = response?.ok ? (await response.json()).token : "";
    return this.token;
  }

  async refresh() {
    if (this.socket.connected) this.socket.emit("auth:refresh", { token: await this.fresh_token() }, () => {});
  }

  /// A path of the REST API: its body, or an error with what was wrong.
  async ask(method, path, body) {
    const response = await fetch(`/api/v1${path}`, {
      method, headers: { authorization: `Bearer ${this.token}`, "content-type": "application/json" },
      body: body && JSON.stringify(body),
    });
    const answer = response.status === 204 ? null : await response.json();
    if (!response.ok) throw new Error(answer.error?.message ?? response.statusText);
    return answer;
  }
}
