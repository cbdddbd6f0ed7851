#include "plugins/upstream/connection.hpp"

#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <exception>
#include <utility>

#include "plugins/upstream/array_text.hpp"

namespace moonwire::upstream {
namespace {

using namespace plugin;
using Writer = rapidjson::Writer<rapidjson::StringBuffer>;

void write(Writer& writer, std::string_view text) {
    writer.String(text.data(), static_cast<rapidjson::SizeType>(text.size()));
}

/// `[{"error":{…}}]`: what a client of Moonwire gets for a handler that failed.
std::string failure_json(const std::string& code, const std::string& message,
                         const std::string& data_json) {
    rapidjson::StringBuffer json;
    Writer writer(json);
    writer.StartArray();
    writer.StartObject();
    writer.Key("error");
    writer.StartObject();
    if (!code.empty()) {
        writer.Key("code");
        write(writer, code);
    }
    writer.Key("message");
    write(writer, message);
    if (!data_json.empty()) {
        writer.Key("data");
        writer.RawValue(data_json.data(), data_json.size(), rapidjson::kObjectType);
    }
    writer.EndObject();
    writer.EndObject();
    writer.EndArray();
    return json.GetString();
}

std::string status_json(const ClientStatus& status, const std::string& url) {
    rapidjson::StringBuffer json;
    Writer writer(json);
    const auto number = [&](const char* key, std::uint64_t value) {
        writer.Key(key);
        writer.Uint64(value);
    };
    writer.StartArray();
    writer.StartObject();
    writer.Key("state");
    write(writer, status.state);
    writer.Key("connected");
    writer.Bool(status.state == "connected");
    writer.Key("url");
    write(writer, url);
    writer.Key("uptime_seconds");
    writer.Double(status.uptime_seconds);
    writer.Key("uptime_percent");
    writer.Double(status.uptime_percent);
    number("attempts", status.attempts);
    number("reconnections", status.reconnections);
    number("queued", status.queued);
    number("sent", status.sent);
    number("received", status.received);
    number("dropped", status.dropped);
    number("failed", status.failed);
    if (!status.last_error.empty()) {
        writer.Key("last_error");
        write(writer, status.last_error);
    }
    writer.EndObject();
    writer.EndArray();
    return json.GetString();
}

LogLevel level_of(std::string_view state) {
    const bool good = state == "connected" || state == "connecting" || state == "closed";
    return good ? LogLevel::info : LogLevel::warn;
}

}  // namespace

Connection::Connection(Host& host, std::string nsp, Wanted wanted,
                       std::function<void(Connection&)> closed)
    : host_(host),
      nsp_(std::move(nsp)),
      wanted_(std::move(wanted)),
      closed_(std::move(closed)),
      inbox_({}, [this](Arrival arrival) { begin(std::move(arrival)); }) {}

void Connection::open() {
    ClientListener listener;
    // Weak, for it holds the client, which holds the listener; its owner keeps it until it is
    // closed.
    listener.on_state = [weak = weak_from_this()](std::string_view state,
                                                  const std::string& detail) {
        if (const auto self = weak.lock()) self->on_state(state, detail);
    };
    listener.on_event = [weak = weak_from_this()](std::string event, Values arguments,
                                                  std::function<void(Values)> acknowledge) {
        if (const auto self = weak.lock())
            self->on_event({std::move(event), std::move(arguments), std::move(acknowledge)});
    };
    try {
        client_ = host_.connect(wanted_.options, std::move(listener));
    } catch (const std::exception& exception) {
        problem_ = exception.what();
        host_.log(LogLevel::error, "can't connect",
                  {{"connection", wanted_.name}, {"namespace", nsp_}, {"reason", problem_}});
    }
}

void Connection::close() {
    draining_ = true;
    if (client_) client_->close();
    else closed_(*this);
}

Answer Connection::emit(std::string_view event, Values arguments) {
    if (!client_) return Answer::nothing(problem_);
    return client_->emit(event, std::move(arguments)) ? Answer::values("[true]")
                                                      : Answer::nothing("queue full");
}

void Connection::call(std::string_view event, Values arguments, std::chrono::milliseconds timeout,
                      Reply reply) {
    if (!client_) return reply(Answer::nothing(problem_));
    client_->call(event, std::move(arguments), timeout, std::move(reply));
}

void Connection::status(Reply reply) {
    if (!client_) {
        ClientStatus status;
        status.state = "gave_up";
        status.last_error = problem_;
        return reply(Answer::values(status_json(status, wanted_.options.url)));
    }
    client_->status([self = shared_from_this(), reply = std::move(reply)](ClientStatus status) {
        status.dropped += self->inbox_.refused();
        reply(Answer::values(status_json(status, self->wanted_.options.url)));
    });
}

void Connection::reconnect() {
    if (client_) client_->reconnect();
}

void Connection::on_state(std::string_view state, const std::string& detail) {
    const std::string_view url = wanted_.options.url;  // without what a query may hold
    host_.log(level_of(state), std::string(state),
              {{"connection", wanted_.name},
               {"namespace", nsp_},
               {"url", url.substr(0, url.find('?'))},
               {"detail", detail}});
    if (state == "closed") return closed_(*this);
    if (draining_ || state == "connecting") return;
    Values values;
    put_text(values.json, detail);
    put_text(values.json, state);
    put_text(values.json, wanted_.name);
    host_.ask(nsp_, "status", std::move(values), [](Answer) {});
}

void Connection::on_event(Arrival arrival) {
    // Unanswered, as if this server had ended before it came.
    if (draining_) return;
    if (!inbox_.push(arrival) && arrival.acknowledge)
        arrival.acknowledge({failure_json("busy", "too many events", {})});
}

void Connection::begin(Arrival arrival) {
    Values values = std::move(arrival.arguments);
    put_text(values.json, arrival.event);
    put_text(values.json, wanted_.name);
    host_.ask(nsp_, "event", std::move(values),
              [self = shared_from_this(), arrival = std::move(arrival)](Answer given) {
                  self->answer(arrival, std::move(given));
                  self->inbox_.handled();
              });
}

void Connection::answer(const Arrival& arrival, Answer given) {
    if (given.kind == Answer::Kind::values) {
        const bool answered = take_first(given.results.json) == "true";
        if (answered && arrival.acknowledge) arrival.acknowledge(std::move(given.results));
        return;
    }
    const bool meant = given.kind == Answer::Kind::failure;
    if (arrival.acknowledge) {
        return arrival.acknowledge({meant ? failure_json(given.code, given.message, given.data_json)
                                          : failure_json("internal", "internal error", {})});
    }
    // A bug was logged where it is.
    if (meant)
        host_.log(LogLevel::warn, "an event was refused",
                  {{"connection", wanted_.name},
                   {"namespace", nsp_},
                   {"event", arrival.event},
                   {"code", given.code},
                   {"message", given.message}});
}

}  // namespace moonwire::upstream
