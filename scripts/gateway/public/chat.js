// Tools with progress, a room, notices.

const me = identity();
const at = (id) => document.getElementById(id);
const socket = connect(me, at("state"));
const LOBBY = "lobby";

for (const event of ["connect", "disconnect"]) {
  socket.on(event, () => {
    for (const button of document.querySelectorAll("form button")) button.disabled = !socket.connected;
  });
}

// Tools ----------------------------------------------------------------------------------------

const requests = new Map();  // by requestId: the elements of each

function show(requestId, text) {
  const card = element("article");
  card.append(element("div", "asked", text));
  const working = element("div", "working");
  const bar = Object.assign(element("progress"), { max: 100 });
  const status = element("span", "", "sending");
  const cancel = Object.assign(element("button", "", "Cancel"), { type: "button" });
  cancel.onclick = () => ask(socket, "ai_cancel", { requestId }).catch(() => {});
  working.append(bar, status, cancel);
  card.append(working);
  const request = { card, working, bar, status };
  requests.set(requestId, request);
  append(at("chat"), card);
  return request;
}

function answer(requestId, text, failed) {
  const request = requests.get(requestId) || show(requestId, "(asked before this page was loaded)");
  request.working.remove();
  request.card.classList.toggle("failed", failed);
  request.card.append(element("div", "answer", text));
  requests.delete(requestId);
  at("chat").scrollTop = at("chat").scrollHeight;
}

async function send(requestId, toolId, message) {
  try {
    await ask(socket, "ai_request", { requestId, toolId, message, sessionId: me.sessionId });
  } catch (error) {
    // Nothing is known of it if the connection broke: ask again. The same id is never done twice.
    if (error.code || !requests.has(requestId)) return answer(requestId, error.message, true);
    socket.connected ? send(requestId, toolId, message)
      : socket.once("connect", () => send(requestId, toolId, message));
  }
}

at("ask").onsubmit = (event) => {
  event.preventDefault();
  const message = at("message").value.trim();
  if (!message) return;
  const requestId = crypto.randomUUID ? crypto.randomUUID() : `r-${Date.now()}-${Math.random()}`;
  show(requestId, message);
  send(requestId, at("tool").value, message);
};

socket.on("status_update", (update) => {
  const request = requests.get(update.requestId);
  if (!request) return;
  if (update.progress !== undefined) request.bar.value = update.progress;
  request.status.textContent = update.message || update.status;
});

socket.on("ai_response", (response, acknowledge) => {
  const text = response.success ? response.response : `${response.error.code}: ${response.error.message}`;
  answer(response.requestId, typeof text === "string" ? text : JSON.stringify(text), !response.success);
  acknowledge?.(true);
});

// The lobby ------------------------------------------------------------------------------------

let newest = 0;  // message that is shown

function hear(message) {
  if (message.id <= newest) return;
  newest = message.id;
  const entry = element("div", "entry");
  entry.append(element("b", "", message.from || "the broker"),
    typeof message.message === "string" ? message.message : JSON.stringify(message.message));
  append(at("lobby"), entry);
}

socket.on("room_message", (message) => message.roomId === LOBBY && hear(message));

socket.on("connect", async () => {
  await ask(socket, "create_room", { roomId: LOBBY }).catch(() => {});  // somebody else did
  await ask(socket, "join_room", { roomId: LOBBY }).catch(() => {});
  const { items } = await ask(socket, "room_history", { roomId: LOBBY }).catch(() => ({ items: [] }));
  items.forEach(hear);
});

at("say").onsubmit = async (event) => {
  event.preventDefault();
  const words = at("words").value.trim();
  if (!words) return;
  try {
    await ask(socket, "room_message", { roomId: LOBBY, message: words });
    at("words").value = "";
  } catch (error) {
    notice("not said", error.message);
  }
};

// Notices --------------------------------------------------------------------------------------

function notice(title, text) {
  const entry = element("div", "entry");
  entry.append(element("b", "", title), text);
  append(at("notices"), entry);
}

socket.on("notification", (notification, acknowledge) => {
  notice(notification.title || notification.type, notification.message || "");
  acknowledge?.(true);
});
socket.on("announcement", (announcement) => notice(announcement.title || announcement.type, announcement.message));
socket.on("error", (error) => notice(error.code, error.message));
