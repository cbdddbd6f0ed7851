#include <doctest/doctest.h>
#include <rapidjson/document.h>

#include <stdexcept>

#include "plugins/amqp/address.hpp"
#include "plugins/amqp/fields.hpp"
#include "plugins/amqp/figures.hpp"
#include "plugins/amqp/options.hpp"
#include "plugins/amqp/retry.hpp"
#include "plugins/amqp/script_values.hpp"

using namespace moonwire::amqp;
using namespace std::chrono_literals;

namespace {

/// What it throws.
template <typename Call>
std::string problem_of(Call&& call) {
    try {
        call();
    } catch (const std::runtime_error& problem) {
        return problem.what();
    }
    return "none";
}

std::string url_problem(const std::string& url) {
    return problem_of([&] { parse_address(url); });
}
std::string connect_problem(const std::string& options) {
    return problem_of([&] { read_connection(options); });
}
std::string consume_problem(const std::string& options) {
    return problem_of([&] { read_consumer(options); });
}

Publication publication(const std::string& options, std::vector<std::string> attachments = {"x"}) {
    return read_publication(R"(["mq","ex","key",{"_placeholder":true,"num":0},)" + options + "]",
                            std::move(attachments));
}

ConsumerOptions consumer(const std::string& more = "") {
    return read_consumer(R"({"id":"q","queue":"q","retry_delay":2)" + more + "}");
}

Message message(const std::string& key = "order.new") {
    Message message;
    message.exchange = "orders";
    message.routing_key = key;
    message.body = "{}";
    message.headers = encode_fields(R"({"own":1})");
    return message;
}

}  // namespace

TEST_CASE("a url says where the server is and as whom to log in") {
    const Address plain = parse_address("amqp://rabbit.example");
    CHECK(plain.host == "rabbit.example");
    CHECK(plain.port == 5672);
    CHECK(plain.user == "guest");
    CHECK(plain.vhost == "/");
    CHECK_FALSE(plain.tls);
    const Address full = parse_address("amqps://me:p%40ss@[::1]:123/%2Fprod");
    CHECK(full.host == "::1");
    CHECK(full.port == 123);
    CHECK(full.user == "me");
    CHECK(full.password == "p@ss");
    CHECK(full.vhost == "/prod");
    CHECK(full.tls);
    CHECK(parse_address("amqps://h").port == 5671);
    CHECK(parse_address("amqp://h/").vhost == "/");
}

TEST_CASE("what is shown of a url has neither user nor password") {
    CHECK(parse_address("amqps://me:secret@h:123/v").shown() == "amqps://h:123/v");
    CHECK(parse_address("amqp://me:secret@[::1]").shown() == "amqp://[::1]:5672/");
}

TEST_CASE("a bad url is refused without a word of what it says") {
    for (const char* url : {"", "http://secret", "amqp://secret:secret:secret@h", "amqp://h:secret",
                            "amqp://h:0", "amqp://a%2", "secret"}) {
        CAPTURE(url);
        const std::string problem = url_problem(url);
        CHECK(problem.starts_with("the url"));
        CHECK(problem.find("secret") == problem.npos);
    }
}

TEST_CASE("fields become JSON and JSON fields") {
    const std::string json =
        R"({"text":"héllo","yes":true,"no":null,"n":-7,"big":9007199254740993,"f":0.5,)"
        R"("list":[1,"two",{"a":[]}],"table":{"x":{"y":1}}})";
    CHECK(decode_fields(encode_fields(json)).json == json);
    CHECK(decode_fields("").json == "{}");
    CHECK(decode_fields("rubbish").json == "{}");
    // Beyond what RabbitMQ has whole numbers for.
    rapidjson::Document big;
    big.Parse(decode_fields(encode_fields(R"({"n":18446744073709551615})")).json.c_str());
    CHECK(big["n"].GetDouble() == 18446744073709551616.0);
}

TEST_CASE("binary fields are attachments") {
    const std::string fields =
        encode_fields(R"({"b":{"_placeholder":true,"num":1}})", {"body", std::string("\0\xff", 2)});
    const FieldsJson back = decode_fields(fields, 1);
    CHECK(back.json == R"({"b":{"_placeholder":true,"num":1}})");
    CHECK(back.attachments == std::vector<std::string>{std::string("\0\xff", 2)});
    // A placeholder of nothing is a table.
    CHECK(decode_fields(encode_fields(R"({"b":{"_placeholder":true,"num":5}})")).json ==
          R"({"b":{"_placeholder":true,"num":5}})");
}

TEST_CASE("fields that AMQP has no form for are refused by their path") {
    CHECK(problem_of([] { encode_fields("[1]"); }) == "are no table with names");
    const std::string long_name(300, 'x');
    CHECK(problem_of([&] {
              encode_fields(R"({"a":{")" + long_name + R"(":1}})");
          }).starts_with("a: a field's name has at most 255 bytes"));
    std::string deep = "1";
    for (int i = 0; i < 100; ++i) deep = "[" + deep + "]";
    CHECK(
        problem_of([&] { encode_fields(R"({"a":)" + deep + "}"); }).ends_with("nests too deeply"));
    CHECK(problem_of([&] {
              encode_fields(R"({"a":")" + std::string(kMaxHeadersBytes, 'x') + "\"}");
          }) == "are larger than 65536 bytes");
}

TEST_CASE("a field is found, replaced and removed") {
    std::string fields = encode_fields(R"({"a":1,"b":"x"})");
    CHECK(number_field(fields, "a") == 1);
    CHECK(text_field(fields, "b") == "x");
    CHECK_FALSE(number_field(fields, "b"));
    CHECK_FALSE(text_field(fields, "c"));
    fields = with_field(with_field(fields, "a", 2), "c", "new");
    CHECK(decode_fields(fields).json == R"({"b":"x","a":2,"c":"new"})");
    CHECK(decode_fields(without_field(fields, "a")).json == R"({"b":"x","c":"new"})");
    CHECK(without_field(encode_fields(R"({"a":1})"), "a").empty());
}

TEST_CASE("a connection's options have defaults and bounds") {
    const ConnectionOptions options = read_connection(R"({"name":"a","url":"amqp://h"})");
    CHECK(options.buffer == 10'000);
    CHECK(options.reconnection_delay_max == 30s);
    CHECK(connect_problem("{}") == "name: expected the connection's name");
    CHECK(connect_problem("[]") == "name: expected the connection's name");
    CHECK(connect_problem(R"({"name":"a"})").starts_with("url: expected amqp://"));
    CHECK(connect_problem(R"({"name":"a","url":"h"})").starts_with("url: the url must begin"));
    const auto with = [](const std::string& more) {
        return connect_problem(R"({"name":"a","url":"amqp://h",)" + more + "}");
    };
    CHECK(with(R"("buffer":0)") == "buffer: expected a whole number from 1 to 1000000");
    CHECK(with(R"("reconnection_delay":-1)") ==
          "reconnection_delay: expected seconds from 0 to 86400");
    CHECK(with(R"("bufer":1)") == "bufer: is no option here");
    CHECK(with(R"("consumers":[{"queue":"q","prefetch":0}])").starts_with("prefetch: expected"));
}

TEST_CASE("a consumer's options have defaults and bounds") {
    const ConsumerOptions options = consumer();
    CHECK(options.prefetch == 20);
    CHECK(options.retries == 3);
    CHECK(options.retry_delay == 2s);
    CHECK_FALSE(options.dead_letters());
    CHECK(consumer(R"(,"exchange":"e","bind":"a.*")").bind == std::vector<std::string>{"a.*"});
    CHECK(consumer(R"(,"exchange":"e")").bind == std::vector<std::string>{""});
    CHECK(consumer(R"(,"dead_letter":"dead")").dead_letter == "dead");
    CHECK(consumer(R"(,"dead_letter":{"exchange":"x"})").dead_letter_exchange == "x");
    CHECK(consumer(R"(,"arguments":{"x-max-length":5})").arguments ==
          encode_fields(R"({"x-max-length":5})"));
    const auto with = [](const std::string& more) {
        return consume_problem(R"({"queue":"q",)" + more + "}");
    };
    CHECK(with(R"("bind":["a"])") == "bind: needs an exchange");
    CHECK(with(R"("exchange":"e","bind":[1])") == "bind: expected a list of strings");
    CHECK(with(R"("retries":1.5)").starts_with("retries: expected a whole number"));
    CHECK(with(R"("dead_letter":7)").starts_with("dead_letter: expected a queue's name"));
    CHECK(with(R"("dead_letter":{"queue":"x"})") == "queue: is no option here");
    CHECK(with(R"("arguments":[1])") == "arguments: are no table with names");
    CHECK(consume_problem(R"({"queue":")" + std::string(240, 'q') + "\"}") ==
          "queue: has at most 235 bytes");
}

TEST_CASE("what is published has its body, its properties and its headers") {
    const Publication all = publication(
        R"({"headers":{"h":{"_placeholder":true,"num":1}},"correlation_id":"c","reply_to":"r",)"
        R"("persistent":false,"priority":3,"expires":1.5,"timeout":2},)"
        R"({"content_type":"application/json","message_id":"made"})",
        {"body", "bytes"});
    CHECK(all.connection == "mq");
    CHECK(all.message.exchange == "ex");
    CHECK(all.message.routing_key == "key");
    CHECK(all.message.body == "body");
    CHECK(decode_fields(all.message.headers).attachments == std::vector<std::string>{"bytes"});
    CHECK(all.message.content_type == "application/json");
    CHECK(all.message.message_id == "made");
    CHECK(all.message.correlation_id == "c");
    CHECK(all.message.reply_to == "r");
    CHECK_FALSE(all.message.persistent);
    CHECK(all.message.priority == 3);
    CHECK(all.message.expiration == "1500");
    CHECK(all.timeout == 2s);
    CHECK(publication(R"([],{"message_id":"made"})").message.persistent);
    CHECK(publication(R"({"message_id":"own"},{"message_id":"made"})").message.message_id == "own");
}

TEST_CASE("what can't be published is refused by the option's name") {
    const auto problem = [](const std::string& options) {
        return problem_of([&] { publication(options); });
    };
    CHECK(problem(R"({"mesage_id":"x"})") == "mesage_id: is no option here");
    CHECK(problem(R"({"headers":"x"})") == "headers: are no table with names");
    CHECK(problem(R"({"correlation_id":")" + std::string(256, 'x') + "\"}") ==
          "correlation_id: has at most 255 bytes");
    CHECK(problem_of([] { read_publication(R"(["mq",7,"key"])", {}); }) ==
          "exchange: expected a string");
    CHECK(problem_of([] { read_publication(R"(["mq","e","k\u0000"])", {}); }) ==
          "routing_key: must not have a byte 0");
}

TEST_CASE("a failed message is tried again by way of a queue that counts and leads back") {
    const ConsumerOptions options = consumer(R"(,"retries":2)");
    CHECK(decode_fields(retry_arguments("q", options)).json ==
          R"({"x-message-ttl":2000,"x-dead-letter-exchange":"","x-dead-letter-routing-key":"q"})");
    Message next = message();
    for (int i = 1; i <= 2; ++i) {
        Fate fate = decide(next, "q", options, "bad luck");
        REQUIRE(fate.kind == Fate::Kind::retry);
        CHECK(fate.message.exchange.empty());
        CHECK(fate.message.routing_key == "q.retry.2000");
        CHECK(fate.message.body == "{}");
        CHECK(fate.message.persistent);
        CHECK(retries_of(fate.message) == i);
        CHECK(text_field(fate.message.headers, kErrorHeader) == "bad luck");
        // As the server gives it back.
        next = fate.message;
        next.routing_key = "q";
        restore_origin(next);
        CHECK(next.exchange == "orders");
        CHECK(next.routing_key == "order.new");
    }
    CHECK(decide(next, "q", options, "bad luck").kind == Fate::Kind::drop);
}

TEST_CASE("a message that failed for good goes to the dead letters and says why") {
    const ConsumerOptions options = consumer(R"(,"retries":1,"dead_letter":"dead")");
    Message tried = decide(message(), "q", options, "once").message;
    restore_origin(tried);
    const Fate fate = decide(tried, "q", options, "twice");
    REQUIRE(fate.kind == Fate::Kind::dead_letter);
    CHECK(fate.message.exchange.empty());
    CHECK(fate.message.routing_key == "dead");
    CHECK(decode_fields(fate.message.headers).json ==
          R"({"own":1,"x-moonwire-exchange":"orders","x-moonwire-routing-key":"order.new",)"
          R"("x-moonwire-error":"twice","x-moonwire-queue":"q","x-moonwire-tries":2})");
    // Put back, it counts from nothing.
    CHECK(retries_of(fate.message) == 0);
    CHECK(decide(message(), "q", options, "too large", true).kind == Fate::Kind::dead_letter);
}

TEST_CASE("a dead letter to an exchange keeps its key, unless there is one for it") {
    const Message failed = message();
    const Fate kept =
        decide(failed, "q", consumer(R"(,"retries":0,"dead_letter":{"exchange":"dlx"})"), "no");
    CHECK(kept.message.exchange == "dlx");
    CHECK(kept.message.routing_key == "order.new");
    const Fate given = decide(
        failed, "q", consumer(R"(,"retries":0,"dead_letter":{"exchange":"dlx","routing_key":"k"})"),
        "no");
    CHECK(given.message.routing_key == "k");
}

TEST_CASE(
    "an error that is too long is cut between characters, and full headers stay as they are") {
    std::string error(999, 'x');
    error += "é and more";
    const ConsumerOptions options = consumer();
    CHECK(text_field(decide(message(), "q", options, error).message.headers, kErrorHeader) ==
          std::string(999, 'x'));
    Message full = message();
    full.headers = encode_fields(R"({"a":")" + std::string(kMaxHeadersBytes - 100, 'x') + "\"}");
    CHECK(decide(full, "q", options, error).message.headers.size() >= full.headers.size());
}

TEST_CASE("a script gets a message with its body as bytes and texts that are UTF-8") {
    Message got = message("k\xff");
    got.headers = encode_fields(R"({"b":{"_placeholder":true,"num":0}})", {"bytes"});
    got.message_id = "m";
    const auto values = delivery_values(got, true);
    rapidjson::Document json;
    json.Parse(values.json.c_str());
    REQUIRE_FALSE(json.HasParseError());
    const auto& fields = json[0];
    CHECK(fields["body"]["num"].GetInt() == 0);
    CHECK(fields["headers"]["b"]["num"].GetInt() == 1);
    CHECK(fields["redelivered"].GetBool());
    CHECK(fields["routing_key"].GetString() == std::string("k\xef\xbf\xbd"));
    CHECK(fields["message_id"].GetString() == std::string("m"));
    CHECK_FALSE(fields.HasMember("reply_to"));
    CHECK(values.attachments == std::vector<std::string>{"{}", "bytes"});
}

TEST_CASE("a status tells how long the connection was up since the first time") {
    const Status::Time now{1000s};
    Status status;
    status.url = "amqp://h:5672/";
    status.first_connected = now - 100s;
    status.connected_since = now - 40s;
    status.up_before = 35s;
    status.consumers.push_back({"q", "waiting", "no queue", 2});
    rapidjson::Document json;
    json.Parse(status_json(status, now).c_str());
    CHECK(json["connected"].GetBool());
    CHECK(json["uptime_seconds"].GetDouble() == 40.0);
    CHECK(json["uptime_percent"].GetDouble() == 75.0);
    CHECK(json["consumers"][0]["error"].GetString() == std::string("no queue"));
    CHECK_FALSE(json.HasMember("last_error"));
    json.Parse(status_json({}, now).c_str());
    CHECK(json["uptime_percent"].GetDouble() == 0.0);
}
