#include "plugins/redis/publisher.hpp"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "plugins/common/backoff.hpp"
#include "plugins/redis/lifeline.hpp"

namespace moonwire::redis {
namespace {

using Clock = std::chrono::steady_clock;

/// Messages on their way at a time: what is lost with a connection.
constexpr std::size_t kBatch = 128, kBatchBytes = 1 << 20;
constexpr std::chrono::seconds kFarewell{2};
/// An idle connection says something, so that firewalls keep it and a dead one is noticed.
constexpr std::chrono::seconds kIdle{20};

}  // namespace

Publisher::Publisher(const Options& options, plugin::Host& host, Figures& figures)
    : options_(options),
      host_(host),
      figures_(figures),
      full_(host),
      large_(host),
      refused_(host),
      outbox_(options.queue_messages, options.queue_bytes) {}

void Publisher::start() {
    thread_ = std::thread([this] { run(); });
}

void Publisher::stop() {
    if (!thread_.joinable()) return;
    end_ = Clock::now() + kFarewell;
    ending_ = true;
    wakeup_.wake();
    thread_.join();
}

void Publisher::publish(Publication message, bool is_volatile) {
    if (message.payload.size() > options_.max_message_bytes) {
        figures_.drop(Dropped::too_large);
        large_.warn("a message is too large to be published", "channel", message.channel);
        return;
    }
    if (is_volatile && !figures_.publishing) return figures_.drop(Dropped::away);
    switch (outbox_.put(std::move(message))) {
        case Outbox::Put::first: return wakeup_.wake();
        case Outbox::Put::behind: return;
        case Outbox::Put::full: break;
    }
    figures_.drop(Dropped::queue_full);
    full_.warn("messages for other nodes are dropped", "why", "the queue is full");
}

void Publisher::run() {
    plugins::Backoff backoff(options_.delay, options_.delay_max);
    Lifeline lifeline(host_, "publishing", options_.address.shown());
    while (!ending_) {
        try {
            Link link(options_.address, options_.timeout);
            if (lifeline.up()) ++figures_.reconnections;
            const auto since = Clock::now();
            figures_.publishing = true;
            try {
                work(link);
            } catch (const LinkDown&) {
                backoff.held(since, Clock::now());
                throw;
            }
        } catch (const LinkDown& down) {
            figures_.publishing = false;
            lifeline.down(down.what());
        }
        // Who publishes wakes this, too.
        for (const auto next = Clock::now() + backoff.next(); !ending_;) {
            const auto left = std::chrono::ceil<std::chrono::milliseconds>(next - Clock::now());
            if (left.count() <= 0) break;
            wakeup_.wait(-1, left);
        }
    }
    figures_.publishing = false;
}

void Publisher::work(Link& link) {
    for (;;) {
        const std::vector<Publication> batch = outbox_.take(kBatch, kBatchBytes);
        if (ending_ && (batch.empty() || Clock::now() > end_)) return;
        if (!batch.empty()) {
            send(link, batch);
            continue;
        }
        const auto since = Clock::now();
        if (wakeup_.wait(link.descriptor(), kIdle)) link.read_available();  // its end, if anything
        else if (Clock::now() - since >= kIdle) {
            link.append({"PING"});
            link.receive();
        }
    }
}

void Publisher::send(Link& link, const std::vector<Publication>& batch) {
    std::size_t answered = 0;
    try {
        for (const Publication& each : batch) link.append({"PUBLISH", each.channel, each.payload});
        for (; answered < batch.size(); ++answered) {
            const Reply reply = link.receive();
            if (reply->type != REDIS_REPLY_ERROR) {
                ++figures_.published;
                continue;
            }
            figures_.drop(Dropped::refused);
            refused_.warn("the server refuses to publish", "why",
                          std::string(reply->str, reply->len));
        }
    } catch (const LinkDown&) {
        figures_.drop(Dropped::unconfirmed, batch.size() - answered);
        throw;
    }
}

}  // namespace moonwire::redis
