// A connection to the gateway, and what the pages have in common.

/// Who this tab is: kept while the tab lives, so that a reload is the same user and session.
function identity() {
  const kept = JSON.parse(sessionStorage.getItem("gateway") || "null");
  if (kept) return kept;
  const asked = new URLSearchParams(location.search).get("user");
  const word = () => Math.random().toString(36).slice(2, 8);
  const made = { userId: asked || `guest-${word()}`, sessionId: `tab-${word()}${word()}` };
  sessionStorage.setItem("gateway", JSON.stringify(made));
  return made;
}

/// Connects; the element `state` says how it goes.
function connect(me, state) {
  if (typeof io === "undefined") {
    state.textContent = "the Socket.IO client is not there: see the setting server.client_bundle";
    throw new Error(state.textContent);
  }
  const socket = io("/gateway", {
    // Asked for anew at each connection, as the broker may have another key by then.
    auth: async (done) => {
      try {
        const response = await fetch(`/demo/gateway/token?user=${encodeURIComponent(me.userId)}`);
        done({ ...me, acks: true, ...(await response.json()) });
      } catch {
        done({ ...me, acks: true });
      }
    },
  });
  const show = (text, connected) => {
    state.textContent = text;
    state.classList.toggle("connected", connected);
  };
  socket.on("connect", () => show(`connected as ${me.userId}`, true));
  socket.on("disconnect", () => {
    show("connecting again…", false);
    // Put out by the broker (its token has expired): come back with a new one.
    if (!socket.active) socket.connect();
  });
  socket.on("connect_error", (error) => {
    show(error.message, false);
    if (!socket.active) setTimeout(() => socket.connect(), 2000);
  });
  return socket;
}

/// Asks and waits: the acknowledgement, or an Error with what the gateway said.
async function ask(socket, event, data) {
  const answer = await socket.timeout(10000).emitWithAck(event, data);
  if (answer && answer.error) throw Object.assign(new Error(answer.error.message), answer.error);
  return answer;
}

/// An element with a class and a text.
function element(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

/// Adds to a list, which stays at its end; the oldest go.
function append(list, item) {
  const entries = list.querySelectorAll("article, .entry");
  if (entries.length >= 200) entries[0].remove();
  list.append(item);
  list.scrollTop = list.scrollHeight;
  return item;
}
