// `ns.store`, over a store in memory.
#include <deque>

#include "core/plugin/stores.hpp"
#include "tests/script/host_fixture.hpp"
#include "tests/script/log_capture.hpp"

using namespace moonwire;
using namespace moonwire::script;
using plugin::StoreReply;

namespace {

/// A store whose answers may be held back, or replaced by a failure.
struct HeldStore final : plugin::Store {
    std::string start() override { return {}; }
    void close() override { inner->close(); }
    void execute(plugin::StoreRequest request, plugin::StoreCompletion completion) override {
        ++asked;
        if (!failure.empty()) return completion({failure, {}});
        if (!holding) return inner->execute(std::move(request), std::move(completion));
        held.push_back([this, request = std::move(request), completion = std::move(completion)] {
            inner->execute(request, completion);
        });
    }
    /// Answers the oldest that is held.
    void answer() {
        auto next = std::move(held.front());
        held.pop_front();
        next();
    }

    std::unique_ptr<plugin::Store> inner = plugin::make_memory_store({});
    std::deque<std::function<void()>> held;
    bool holding = false;
    std::string failure;
    int asked = 0;
};

struct StoreTest : ScriptTest {
    StoreTest() { options.store.store = &store; }
    ~StoreTest() {
        if (host) host->stop();
        settle();
        host.reset();
    }
    /// The handler "do" of namespace /t has this body, with `store` at hand.
    void body(const std::string& text, const std::string& more = "") {
        load("local ns = namespace \"/t\" local store = ns.store\n" + more +
             "\nns:on(\"do\", function(socket, ...)\n" + text + "\nend)");
        client = join();
    }
    std::string run(const std::string& arguments = "") {
        return ask(client, "[\"do\"" + (arguments.empty() ? "" : "," + arguments) + "]");
    }

    HeldStore store;
    ClientPtr client;
};

}  // namespace

TEST_CASE("values are kept as they are, over reloads and beyond the namespace's life") {
    StoreTest test;
    const std::string script = R"(
local ns = namespace "/t"
ns:on("set", function(_, key, value) return ns.store:set(key, value) end)
ns:on("get", function(_, key) return ns.store:get(key) end)
ns:on("delete", function(_, key) return ns.store:delete(key) end)
ns:on("bytes", function()
  ns.store:set("b", { a = bytes("\1\2"), n = null, list = json.array {} })
  local value = ns.store:get("b")
  return value.a.data == "\1\2", value.n == null, json.encode(value.list)
end)
)";
    test.load(script);
    auto client = test.join();
    CHECK(test.ask(client, R"(["get","a"])") == "[null]");
    CHECK(test.ask(client, R"(["set","a",{"x":[1,null,"é",{}]}])") == "[true]");
    CHECK(test.ask(client, R"(["get","a"])") == R"([{"x":[1,null,"é",{}]}])");
    CHECK(test.ask(client, R"(["bytes"])") == R"([true,true,"[]"])");
    CHECK(test.reload(script + "-- changed") == Lines{});
    CHECK(test.ask(client, R"(["get","a"])") == R"([{"x":[1,null,"é",{}]}])");
    CHECK(test.ask(client, R"(["delete","a"])") == "[true]");
    CHECK(test.ask(client, R"(["delete","a"])") == "[false]");
    test.ask(client, R"(["set","a",1])");
    client->finish();
    test.settle();
    test.host->stop();
    test.settle();
    test.host.reset();
    test.server = std::make_unique<socketio::Server>(socketio::ServerOptions{},
                                                     std::vector<Reactor*>{test.reactors[0].get()});
    test.load();
    CHECK(test.ask(test.join(), R"(["get","a"])") == "[1]");
}

TEST_CASE("values may expire, and keys be scanned page by page") {
    StoreTest test;
    test.body(R"(
  for i = 1, 5 do store:set("k" .. i, i, { ttl = i == 2 and 10 or nil }) end
  sleep(10)
  local first = store:scan("k", { limit = 2 })
  local next = store:scan("k", { after = first[2].key })
  local function told(items)  -- the order of a table's fields is nobody's promise
    local all = {}
    for i, item in ipairs(items) do all[i] = item.key .. "=" .. item.value end
    return table.concat(all, " ")
  end
  return told(first), told(next), store:scan("none"))");
    test.client->receive(R"(2/t,7["do"])");
    test.settle();
    test.advance(10);
    CHECK(test.answer(test.client, "7") == R"(["k1=1 k3=3","k4=4 k5=5",[]])");
}

TEST_CASE("a stream's history is paged from its end, and keeps no more than it is told") {
    StoreTest test;
    test.body(R"(
  local ids = {}
  for i = 1, 6 do ids[i] = store:append("s", i, { count = 5 }) end
  local function values(options)
    local all = {}
    for i, item in ipairs(store:history("s", options)) do all[i] = item.value end
    return table.concat(all, " ")
  end
  return values(), values { limit = 2 }, values { before = ids[5], limit = 2 },
    values { after = ids[3] }, values { after = 0, limit = 2 }, store:history("s")[1].at == now(),
    store:clear_stream("s"), store:history("s"))");
    CHECK(test.run() == R"(["2 3 4 5 6","5 6","3 4","4 5 6","2 3",true,5,[]])");
}

TEST_CASE("what can't be done is nil and why; what must not happen is an error") {
    StoreTest test;
    test.options.store.max_value_bytes = 100;
    test.options.store.queue_items = 1;
    test.body(R"(
  local function why(...) return (select(2, ...)) end
  return why(store:set("a", ("x"):rep(200))), why(store:get(("k"):rep(2000))),
    why(store:set("", 1)), store:enqueue("r", "e") ~= nil, why(store:enqueue("r", "e")),
    why(store:enqueue("r", "e", ("x"):rep(200))))");
    CHECK(test.run() ==
          R"(["too large","key too long","empty key",true,"queue full","too large"])");

    const std::pair<const char*, const char*> wrong[] = {
        {"store:set('a')", "a value expected"},
        {"store:set('a', 1, { tll = 3 })", "ns.store:set has no option 'tll'"},
        {"store:set('a', 1, { ttl = 0 })", "ttl must be seconds, more than zero"},
        {"store:set('a', 0/0)", "NaN"},
        {"store.get('a')", "called with ':'?"},
        {"store:scan('', { limit = 5000 })", "limit must be a whole number from 1 to 1000"},
        {"store:enqueue('r', 'connect')", "no name for an event"},
        {"store:schedule(now(), 'x')", "no ns:on_schedule(\"x\", …) here"},
        {"store:deliver('r', 7)", "socket expected"},
        {"store:transaction(7)", "function expected"},
        {"store:gett('a')", "store has no field 'gett'"}};
    for (const auto& [code, text] : wrong) {
        StoreTest each;
        each.body("local ok, problem = pcall(function() " + std::string(code) +
                  " end) return ok or problem");
        const std::string answer = each.run();
        CAPTURE(code);
        CAPTURE(answer);
        std::string escaped;
        for (const char c : std::string(text)) (c == '"' ? escaped += '\\' : escaped) += c;
        CHECK(answer.find(escaped) != std::string::npos);
    }
}

TEST_CASE("a failing store is told to the script, and busy when too many wait") {
    StoreTest test;
    test.options.store.waiting = 1;
    test.body("return store:set('a', 1)");
    test.store.failure = "disk full";
    CHECK(test.run() == R"([null,"disk full"])");
    test.store.failure = "";
    CHECK(test.run() == "[true]");

    StoreTest waiting;
    waiting.options.store.waiting = 1;
    waiting.body(R"(
  spawn(function() store:transaction(function() sleep(1) end) end)
  sleep(0.1)
  spawn(function() store:set("a", 1) end)
  sleep(0.1)
  local _, why = store:set("a", 2)
  local _, also = store:transaction(function() end)
  return why, also)");
    waiting.client->receive(R"(2/t,7["do"])");
    waiting.settle();
    waiting.advance(0.5);
    CHECK(waiting.answer(waiting.client, "7") == R"(["busy","busy"])");
}

TEST_CASE("a transaction has a limit of operations") {
    StoreTest test;
    test.body(R"(
  return store:transaction(function()
    for i = 1, 1000 do store:set("k" .. i, i) end
    return store:set("one more", 1)
  end))");
    CHECK(test.run() == R"([null,"too many operations in a transaction"])");
    CHECK(test.store.asked == 1);  // the commit
}

TEST_CASE("more deliveries than may wait for a recipient are told that it is busy") {
    StoreTest test;
    test.body(R"(
  store:enqueue("r", "e")
  local busy = 0
  for _ = 1, 1003 do
    spawn(function()
      local _, why = store:deliver("r", socket, { timeout = 100 })
      if why == "busy" then busy = busy + 1 end
    end)
  end
  sleep(1)
  return busy)");
    test.client->receive(R"(2/t,7["do"])");
    test.settle();
    test.advance(1);
    CHECK(test.answer(test.client, "7") == "[2]");
}

TEST_CASE("the store is not there while a file loads, nor where there is none") {
    ScriptTest without;
    without.load(R"(local ns = namespace "/t"
ns:on("do", function() return ns.store:get("a") end))");
    CHECK(without.ask(without.join(), R"(["do"])") == R"([null,"there is no store here"])");
    StoreTest test;
    CHECK(test.load_errors("local ns = namespace \"/t\"\nns.store:get('a')") ==
          Lines{"app/main.lua:2: ns.store:get can't be used while a file loads"});
    CHECK(test.store.asked == 0);
}

TEST_CASE("a transaction sees its own writes, and is all or nothing") {
    StoreTest test;
    test.body(R"(
  store:set("n", 1)
  local seen, id = store:transaction(function(tx)
    tx:set("n", store:get("n") + 1)
    local id = store:append("s", "x")
    store:delete("gone")
    return store:get("n"), id
  end)
  local ok, problem = pcall(store.transaction, store, function()
    store:set("n", 100)
    store:append("s", "y")
    store:enqueue("r", "e")
    error("no", 0)
  end)
  local history = store:history("s")
  return seen, history[1].id == id, #history, ok, problem, store:get("n"), store:queued("r"),
    store:transaction(function() return 1, nil, 3 end))");
    CHECK(test.run() == R"([2,true,1,false,"no",2,0,1,null,3])");
}

TEST_CASE("a transaction within another is undone alone") {
    StoreTest test;
    test.body(R"(
  store:transaction(function()
    store:set("a", 1)
    pcall(store.transaction, store, function() store:set("a", 2) store:set("b", 2) error("x") end)
    store:transaction(function() store:set("c", store:get("a")) end)
  end)
  return store:get("a"), store:get("b"), store:get("c"))");
    CHECK(test.run() == "[1,null,1]");
}

TEST_CASE("a transaction right after another is one of its own, wherever they run") {
    StoreTest test;
    test.body(R"(
  local function add() store:set("n", (store:get("n") or 0) + 1) end
  gather(function() store:transaction(add) store:transaction(add) end)
  local kept = store:get("n")
  gather(function()
    pcall(store.transaction, store, function() add() store:get("x") error("no") end)
    store:transaction(add)
  end)
  return kept, store:get("n"))");
    CHECK(test.run() == "[2,3]");
}

TEST_CASE("a transaction right after another of the same task is one of its own") {
    StoreTest test;
    test.body(R"(
  store:transaction(function() store:set("a", 1) end)
  store:transaction(function() store:set("a", store:get("a") + 1) store:set("b", 2) end)
  store:transaction(function() store:delete("b") end)
  local undone = pcall(store.transaction, store, function()
    store:set("a", 100)
    store:append("s", "x")
    error("x")
  end)
  return store:get("a"), store:get("b"), undone, #store:history("s"))");
    CHECK(test.run() == "[2,null,false,0]");
}

TEST_CASE("what fails in a transaction leaves the rest of it alone; a commit that fails is told") {
    StoreTest test;
    test.options.store.queue_items = 1;
    test.body(R"(
  local first = { store:transaction(function()
    store:set("a", 1)
    store:enqueue("r", "e")
    local _, why = store:enqueue("r", "e")
    return why
  end) }
  return first, store:get("a"), store:queued("r"))");
    CHECK(test.run() == R"([["queue full"],1,1])");
    StoreTest failing;
    failing.body("return store:transaction(function() store:set('a', 1) return 'done' end)");
    failing.store.failure = "disk full";
    CHECK(failing.run() == R"([null,"disk full"])");
}

TEST_CASE("a namespace's transactions and writes wait for each other") {
    StoreTest test;
    test.load(R"(
local ns = namespace "/t"
local store = ns.store
ns:on("add", function()
  return store:transaction(function()
    local n = store:get("n") or 0
    sleep(1)
    store:set("n", n + 1)
    return n + 1
  end)
end)
ns:on("set", function(_, n) return store:set("n", n) end)
ns:on("get", function() return store:get("n") end)
ns:on("hang", function() return store:transaction(function() sleep(100) store:set("n", -1) end) end)
ns:on("stuck", function()
  return store:transaction(function()
    local ok, problem = gather(function() return pcall(store.set, store, "n", 1) end)
    local inner, why = gather(function() return select(2, pcall(function() store:set("n", 1) end)) end)
    return ok, inner
  end)
end)
)");
    const auto client = test.join();
    client->receive(R"(2/t,1["add"])");
    client->receive(R"(2/t,2["add"])");
    client->receive(R"(2/t,3["set",10])");
    client->receive(R"(2/t,4["add"])");
    test.settle();
    CHECK(test.ask(client, R"(["get"])") == "[null]");
    test.advance(1);
    CHECK(test.answer(client, "1") == "[1]");
    CHECK(test.answer(client, "2") == "");
    test.advance(1);
    CHECK(test.answer(client, "2") == "[2]");
    CHECK(test.answer(client, "3") == "[true]");
    CHECK(test.ask(client, R"(["get"])") == "[10]");
    test.advance(1);
    CHECK(test.answer(client, "4") == "[11]");

    // One that never ends is rolled back, and the others go on.
    LogCapture log;
    client->receive(R"(2/t,5["hang"])");
    client->receive(R"(2/t,6["set",20])");
    test.settle();
    CHECK(test.answer(client, "6") == "");
    test.advance(30);
    CHECK(test.answer(client, "6") == "[true]");
    test.advance(70);
    CHECK(test.answer(client, "5").find("internal") != std::string::npos);
    CHECK(log.text().find("the transaction took too long and was rolled back") !=
          std::string::npos);
    CHECK(test.ask(client, R"(["get"])") == "[20]");

    // It would wait for itself.
    const std::string stuck = test.ask(client, R"(["stuck"])");
    CHECK(stuck.find("a transaction waits for this, which waits for its end") != std::string::npos);
}

TEST_CASE("a transaction whose task is cancelled leaves nothing and holds up nobody") {
    StoreTest test;
    const std::string script = R"(
local ns = namespace "/t"
ns:on("begin", function()
  spawn(function() ns.store:transaction(function() ns.store:set("n", 1) sleep(10) end) end)
end)
ns:on("set", function() return ns.store:set("m", 1), ns.store:get("n") end)
)";
    test.load(script);
    const auto client = test.join();
    test.ask(client, R"(["begin"])");
    client->receive(R"(2/t,1["set"])");
    test.settle();
    CHECK(test.answer(client, "1") == "");
    CHECK(test.reload(script + "-- changed") == Lines{});
    CHECK(test.answer(client, "1") == "[true,null]");
}

TEST_CASE("what is queued is delivered in order, and removed once it is acknowledged") {
    StoreTest test;
    test.load(R"(
local ns = namespace "/t"
ns:on("queue", function(_, n)
  for i = 1, n do ns.store:enqueue("r", "hello", i, { bytes = bytes("\1") }) end
  return ns.store:queued("r")
end)
ns:on("deliver", function(socket) return ns.store:deliver("r", socket, { timeout = 5 }) end)
ns:on("queued", function() return ns.store:queued("r") end)
)");
    const auto sender = test.join();
    CHECK(test.ask(sender, R"(["queue",40])") == "[40]");
    const auto client = test.join();
    client->receive(R"(2/t,1["deliver"])");
    test.settle();
    // A part of them is under way.
    const auto events = [&] {
        Lines ids;
        for (const std::string& each : client->take()) {
            if (!each.starts_with("51-/t,")) continue;
            const std::size_t bracket = each.find('[');
            ids.push_back(each.substr(6, bracket - 6));
            CHECK(each.find("\"hello\"") != std::string::npos);
        }
        return ids;
    };
    Lines ids = events();
    REQUIRE(ids.size() == 32);
    for (const std::string& id : ids) client->receive("3/t," + id + "[]");
    test.settle();
    ids = events();
    REQUIRE(ids.size() == 8);
    CHECK(test.ask(sender, R"(["queued"])") == "[8]");
    // Those before the first that is missing count.
    for (const std::size_t i : {0, 1, 3}) client->receive("3/t," + ids[i] + "[]");
    test.settle();
    test.advance(5);
    CHECK(test.answer(client, "1") == R"([34,"timeout"])");
    CHECK(test.ask(sender, R"(["queued"])") == "[6]");

    client->take();
    client->receive(R"(2/t,2["deliver"])");
    test.settle();
    CHECK(events().size() == 6);
    client->finish();
    test.settle();
    CHECK(test.ask(sender, R"(["queued"])") == "[6]");
}

TEST_CASE("two deliveries to one recipient do not get in each other's way") {
    StoreTest test;
    test.load(R"(
local ns = namespace "/t"
ns:on("queue", function(_, n) return ns.store:enqueue("r", "hello", n) end)
ns:on("deliver", function(socket) return ns.store:deliver("r", socket) end)
)");
    const auto one = test.join(), other = test.join();
    test.ask(one, R"(["queue",1])");
    one->take();
    one->receive(R"(2/t,1["deliver"])");
    other->receive(R"(2/t,2["deliver"])");
    test.settle();
    CHECK(other->take() == Lines{});
    const Lines sent = one->take();
    REQUIRE(sent.size() == 1);
    one->receive("3/t," + sent[0].substr(4, sent[0].find('[') - 4) + "[]");
    test.settle();
    CHECK(test.answer(one, "1") == "[1]");
    CHECK(test.answer(other, "2") == "[0]");
    // A client that is gone gets nothing.
    test.ask(one, R"(["queue",2])");
    other->receive(R"(2/t,3["deliver"])");
    other->finish();
    test.settle();
    CHECK(test.store.held.empty());
}

TEST_CASE("queued events expire, and a full queue drops its oldest if it is told to") {
    StoreTest test;
    test.body(R"(
  store:enqueue("r", { "a", ttl = 5 })
  store:enqueue("r", { "b", max = 2 })
  local _, why = store:enqueue("r", { "c", max = 2 })
  store:enqueue("r", { "d", max = 2, drop_oldest = true })
  local before = store:queued("r")
  sleep(5)
  local between = store:queued("r")
  return why, before, between, store:clear_queue("r"), store:queued("r"))");
    test.client->receive(R"(2/t,7["do"])");
    test.settle();
    test.advance(5);
    CHECK(test.answer(test.client, "7") == R"(["queue full",2,2,2,0])");
}

TEST_CASE("a schedule fires once, at its time, with its data, also after a restart") {
    StoreTest test;
    const std::string script = R"(
local ns = namespace "/t"
ns:on_schedule("remind", function(data, at)
  ns:emit("fired", data, at == ns.state.at)
  sleep(1)
end)
ns:on("set", function(_, seconds, data)
  ns.state.at = now() + seconds
  return ns.store:schedule(now() + seconds, "remind", data)
end)
ns:on("cancel", function(_, id) return ns.store:cancel(id) end)
ns:on("both", function()
  ns.store:transaction(function() ns.store:schedule(now() + 1, "remind", "kept") end)
  pcall(ns.store.transaction, ns.store, function()
    ns.store:schedule(now() + 1, "remind", "undone")
    error("no")
  end)
end)
)";
    test.load(script);
    auto client = test.join();
    test.ask(client, R"(["set",100,{"order":7}])");
    std::string id = test.ask(client, R"(["set",50,"cancelled"])");
    id = id.substr(1, id.size() - 2);
    CHECK(test.ask(client, "[\"cancel\"," + id + "]") == "[true]");
    CHECK(test.ask(client, "[\"cancel\"," + id + "]") == "[false]");
    test.ask(client, R"(["set",100,{"order":7}])");
    client->take();
    test.advance(99.5);
    CHECK(client->take() == Lines{});
    test.advance(0.5);
    CHECK(client->take() == Lines(2, R"(2/t,["fired",{"order":7},true])"));
    test.advance(1000);
    CHECK(client->take() == Lines{});

    test.ask(client, R"(["both"])");
    test.advance(2);
    CHECK(client->take() == Lines{R"(2/t,["fired","kept",false])"});

    // What comes due while nobody is there fires when somebody is.
    test.ask(client, R"(["set",10,"late"])");
    client->finish();
    test.settle();
    test.host->stop();
    test.settle();
    test.host.reset();
    test.advance(60);
    test.server = std::make_unique<socketio::Server>(socketio::ServerOptions{},
                                                     std::vector<Reactor*>{test.reactors[0].get()});
    LogCapture log;
    test.load(R"(local ns = namespace "/t"
ns:on_schedule("other", function() end))");
    client = test.join();
    test.advance(100);
    CHECK(log.text().find("a schedule waits for its handler") != std::string::npos);
    CHECK(test.reload(script) == Lines{});
    CHECK(client->take() == Lines{R"(2/t,["fired","late",false])"});
    test.advance(100);
    CHECK(client->take() == Lines{});
}

TEST_CASE("more due schedules than may run at once all run, and a failing one is logged and gone") {
    StoreTest test;
    test.load(R"(
local ns = namespace "/t"
ns:on_schedule("count", function(n)
  sleep(1)
  ns.state.n = (ns.state.n or 0) + n
  if n == 1 and ns.state.n == 1 then error("oops") end
end)
ns:on("set", function() for i = 1, 250 do ns.store:schedule(now(), "count", 1) end end)
ns:on("get", function() return ns.state.n end)
)");
    const auto client = test.join();
    LogCapture log;
    test.ask(client, R"(["set"])");
    test.advance(1);
    CHECK(test.ask(client, R"(["get"])") == "[100]");
    test.advance(1);
    test.advance(1);
    CHECK(test.ask(client, R"(["get"])") == "[250]");
    CHECK(log.text().find("oops") != std::string::npos);
    test.advance(100);
    CHECK(test.ask(client, R"(["get"])") == "[250]");
}

TEST_CASE("a namespace that has no schedules does not ask for them") {
    StoreTest test;
    test.body("return 1");
    test.advance(1000);
    CHECK(test.store.asked == 0);
}

TEST_CASE("a schedule that can't be removed does not run again meanwhile") {
    StoreTest test;
    test.load(R"(
local ns = namespace "/t"
ns:on_schedule("once", function() ns:emit("fired") end)
ns:on("set", function() return ns.store:schedule(now() + 1, "once") end)
)");
    const auto client = test.join();
    test.ask(client, R"(["set"])");
    client->take();
    test.store.holding = true;
    test.advance(1);
    test.store.holding = false;
    test.store.answer();  // what is due
    test.store.failure = "disk full";
    test.settle();
    CHECK(client->take() == Lines{R"(2/t,["fired"])"});
    test.advance(100);
    test.store.failure = "";
    test.advance(100);
    CHECK(client->take() == Lines{});
}
