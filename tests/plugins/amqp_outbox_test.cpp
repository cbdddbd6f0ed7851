#include <doctest/doctest.h>

#include "plugins/amqp/outbox.hpp"
#include "plugins/common/backoff.hpp"

using namespace moonwire::amqp;
using namespace std::chrono_literals;
using Time = Outbox::Time;

namespace {

struct OutboxTest {
    Outbox outbox;
    std::vector<std::string> done;  // "id why"
    std::uint64_t number = 0;

    void add(const std::string& id, bool fleeting = false, Time deadline = Time::max()) {
        Outbox::Item item;
        item.message.message_id = id;
        item.message.routing_key = "key";
        item.done = [this, id](const std::string& why) {
            done.push_back(why.empty() ? id : id + " " + why);
        };
        item.fleeting = fleeting;
        item.deadline = deadline;
        outbox.add(std::move(item));
    }
    /// What is sent until nothing more may be.
    std::vector<std::string> send() {
        std::vector<std::string> sent;
        while (const Message* message = outbox.next()) {
            sent.push_back(message->message_id);
            outbox.sent(++number);
        }
        return sent;
    }
    Message message(const std::string& id, const std::string& key = "key") {
        Message message;
        message.message_id = id;
        message.routing_key = key;
        return message;
    }
};

using Ids = std::vector<std::string>;

}  // namespace

TEST_CASE("messages are done when the server confirms them, one by one or all up to one") {
    OutboxTest test;
    for (const char* id : {"a", "b", "c", "d"}) test.add(id);
    CHECK(test.send() == Ids{"a", "b", "c", "d"});
    test.outbox.confirmed(2, false, true);
    CHECK(test.done == Ids{"b"});
    test.outbox.confirmed(3, true, true);
    CHECK(test.done == Ids{"b", "a", "c"});
    test.outbox.confirmed(4, false, false);
    CHECK(test.done.back() == "d the server refused the message");
    CHECK(test.outbox.unconfirmed() == 0);
    test.outbox.confirmed(9, true, true);  // nobody's
    CHECK(test.done.size() == 4);
}

TEST_CASE("no more than the window is unconfirmed at a time") {
    OutboxTest test;
    for (std::size_t i = 0; i < Outbox::kWindow + 2; ++i) test.add(std::to_string(i));
    CHECK(test.send().size() == Outbox::kWindow);
    CHECK(test.outbox.waiting() == 2);
    test.outbox.confirmed(1, false, true);
    CHECK(test.send() == Ids{std::to_string(Outbox::kWindow)});
}

TEST_CASE("a lost connection loses no message, and what was unconfirmed goes first again") {
    OutboxTest test;
    test.add("a");
    test.add("b");
    test.send();
    test.outbox.confirmed(1, false, true);
    test.add("c");
    test.outbox.disconnected();
    test.add("d");
    CHECK(test.send() == Ids{"b", "c", "d"});
    CHECK(test.done == Ids{"a"});
}

TEST_CASE("what means something only over one connection is dropped with it") {
    OutboxTest test;
    test.add("retry", true);
    test.add("kept");
    test.send();
    test.add("waiting retry", true);
    test.outbox.disconnected();
    CHECK(test.done == Ids{"retry disconnected", "waiting retry disconnected"});
    CHECK(test.send() == Ids{"kept"});
}

TEST_CASE("a returned message is done with the reason when it is confirmed") {
    OutboxTest test;
    test.add("a");
    test.add("a");
    test.add("b");
    test.send();
    test.outbox.returned(test.message("a"), "unroutable");
    test.outbox.returned(test.message("b", "another"), "unroutable");
    test.outbox.confirmed(3, true, true);
    CHECK(test.done == Ids{"a unroutable", "a", "b"});
}

TEST_CASE("of those under way when the channel was closed only the one at fault fails") {
    OutboxTest test;
    for (const char* id : {"a", "bad", "c"}) test.add(id);
    test.send();
    test.outbox.channel_closed("no such exchange");
    CHECK(test.done.empty());
    test.number = 0;  // of a new channel
    CHECK(test.send() == Ids{"a"});
    test.outbox.confirmed(1, false, true);
    CHECK(test.send() == Ids{"bad"});
    test.outbox.channel_closed("no such exchange");
    CHECK(test.done == Ids{"a", "bad no such exchange"});
    test.number = 0;
    test.add("d");
    CHECK(test.send() == Ids{"c"});
    test.outbox.confirmed(1, false, true);
    // Those are through: more at a time again.
    test.add("e");
    CHECK(test.send() == Ids{"d", "e"});
}

TEST_CASE("a message is given up when its time has come, sent or not") {
    OutboxTest test;
    const Time now = std::chrono::steady_clock::now();
    test.add("sent", false, now + 1s);
    test.send();
    test.add("waiting", false, now + 1s);
    test.add("patient");
    test.outbox.expire(now);
    CHECK(test.done.empty());
    test.outbox.expire(now + 1s);
    CHECK(test.done == Ids{"waiting timeout", "sent timeout"});
    CHECK(test.send() == Ids{"patient"});
    test.outbox.confirmed(1, false, true);
    CHECK(test.done.size() == 2);
}

TEST_CASE("at the end all are told, those under way first") {
    OutboxTest test;
    test.add("a");
    test.send();
    test.add("b");
    test.outbox.fail_all("closed");
    CHECK(test.done == Ids{"a closed", "b closed"});
    CHECK(test.outbox.waiting() + test.outbox.unconfirmed() == 0);
}

TEST_CASE("attempts come ever slower, up to a limit, until one has held") {
    moonwire::plugins::Backoff backoff(1s, 4s);
    const auto about = [](std::chrono::milliseconds delay, std::chrono::milliseconds whole) {
        return delay >= whole * 3 / 4 && delay <= whole;
    };
    CHECK(about(backoff.next(), 1s));
    CHECK(about(backoff.next(), 2s));
    CHECK(about(backoff.next(), 4s));
    for (int i = 0; i < 100; ++i) CHECK(about(backoff.next(), 4s));
    const Time now = std::chrono::steady_clock::now();
    backoff.held(now, now + 1s);
    CHECK(about(backoff.next(), 4s));
    backoff.held(now, now + 4s);
    CHECK(about(backoff.next(), 1s));
}
