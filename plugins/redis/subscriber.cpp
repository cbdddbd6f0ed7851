#include "plugins/redis/subscriber.hpp"

#include <future>
#include <memory>
#include <string>
#include <utility>

#include "plugins/common/backoff.hpp"
#include "plugins/redis/lifeline.hpp"

namespace moonwire::redis {
namespace {

using Clock = std::chrono::steady_clock;

/// A server that said nothing for so long is asked, and then has the timeout to answer.
constexpr std::chrono::seconds kIdle{10};

std::string_view text_of(const redisReply* reply) { return {reply->str, reply->len}; }

}  // namespace

Subscriber::Subscriber(const Options& options, std::vector<std::string> patterns,
                       plugin::Host& host, Figures& figures, Heard heard)
    : options_(options),
      patterns_(std::move(patterns)),
      host_(host),
      figures_(figures),
      heard_(std::move(heard)) {}

void Subscriber::start() {
    const auto tried = std::make_shared<std::promise<void>>();
    thread_ = std::thread([this, tried] {
        bool told = false;
        run([&] {
            if (!std::exchange(told, true)) tried->set_value();
        });
    });
    tried->get_future().wait();
}

void Subscriber::stop() {
    if (!thread_.joinable()) return;
    ending_ = true;
    wakeup_.wake();
    thread_.join();
}

void Subscriber::run(const std::function<void()>& tried) {
    plugins::Backoff backoff(options_.delay, options_.delay_max);
    Lifeline lifeline(host_, "subscribing", options_.address.shown());
    while (!ending_) {
        try {
            Link link(options_.address, options_.timeout);
            subscribe(link);
            if (lifeline.up()) ++figures_.reconnections;
            const auto since = Clock::now();
            figures_.subscribed = true;
            tried();
            try {
                listen(link);
            } catch (const LinkDown&) {
                backoff.held(since, Clock::now());
                throw;
            }
        } catch (const LinkDown& down) {
            figures_.subscribed = false;
            lifeline.down(down.what());
        }
        tried();
        if (!ending_) wakeup_.wait(-1, backoff.next());
    }
    figures_.subscribed = false;
}

void Subscriber::subscribe(Link& link) {
    std::vector<std::string_view> command{"PSUBSCRIBE"};
    command.insert(command.end(), patterns_.begin(), patterns_.end());
    link.append(command);
    // Each pattern is confirmed by itself; messages for the first may come before the second is.
    for (std::size_t left = patterns_.size(); left > 0;) {
        const Reply reply = link.receive();
        if (reply->type == REDIS_REPLY_ERROR)
            throw LinkDown("subscribe: " + std::string(text_of(reply.get())));
        if (reply->type == REDIS_REPLY_ARRAY && reply->elements > 0 &&
            text_of(reply->element[0]) == "psubscribe")
            --left;
        else take(*reply);
    }
}

void Subscriber::listen(Link& link) {
    auto last = Clock::now();
    bool asked = false;
    while (!ending_) {
        while (const Reply reply = link.next()) {
            take(*reply);
            if (ending_) return;
        }
        if (wakeup_.wait(link.descriptor(), std::chrono::seconds(1))) {
            link.read_available();
            last = Clock::now();
            asked = false;
            continue;
        }
        const auto silent = Clock::now() - last;
        if (asked && silent > kIdle + options_.timeout) throw LinkDown("the server is silent");
        if (!asked && silent > kIdle) {
            link.append({"PING"});
            link.flush();
            asked = true;
        }
    }
}

void Subscriber::take(const redisReply& reply) {
    // ["pmessage", pattern, channel, payload]; all else is an answer to PING.
    if (reply.type != REDIS_REPLY_ARRAY || reply.elements != 4) return;
    for (std::size_t i = 0; i < reply.elements; ++i)
        if (reply.element[i]->type != REDIS_REPLY_STRING) return;
    if (text_of(reply.element[0]) == "pmessage")
        heard_(text_of(reply.element[2]), text_of(reply.element[3]));
}

}  // namespace moonwire::redis
