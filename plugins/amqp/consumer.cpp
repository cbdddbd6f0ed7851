#include "plugins/amqp/consumer.hpp"

#include <iomanip>
#include <random>
#include <sstream>
#include <utility>

#include "plugins/amqp/retry.hpp"
#include "plugins/amqp/script_values.hpp"

namespace moonwire::amqp {

using plugin::Answer;
using plugin::LogLevel;

namespace {

constexpr std::uint16_t kNotFound = 404;

/// A name that no other queue has. (Those that the server makes up begin with "amq.", which the
/// queue beside it, for retries, must not.)
std::string own_name() {
    std::random_device random;
    std::ostringstream name;
    name << "moonwire." << std::hex;
    for (int i = 0; i < 4; ++i) name << std::setw(8) << std::setfill('0') << random();
    return name.str();
}

/// What a script's answer says of the failure, for the log and for headers.
std::string error_of(const Answer& answer) {
    if (answer.kind == Answer::Kind::failure && !answer.code.empty())
        return answer.code + ": " + answer.message;
    return answer.message.empty() ? "failed" : answer.message;
}

}  // namespace

ConsumerFigures Consumer::figures() const {
    return {queue_.empty() ? options_.queue : queue_,
            ending_    ? "ending"
            : channel_ ? "consuming"
                       : "waiting",
            error_, in_hand_};
}

void Consumer::open(Link& link, Channel channel, Time now) {
    channel_ = channel;
    link_ = &link;
    ++epoch_;
    opened_ = now;
    try {
        link.open(channel);
        declare(link);
        link.set_prefetch(channel, options_.prefetch);
        link.consume(channel, queue_);
        error_.clear();
    } catch (const ChannelClosed& closed) {
        channel_gone(closed.what());
    }
}

void Consumer::declare(Link& link) {
    // What is there is used as it is, whoever made it; what is not is made to last.
    if (!options_.exchange.empty()) {
        try {
            link.declare_exchange(channel_, options_.exchange, options_.exchange_type, true);
        } catch (const ChannelClosed& closed) {
            if (closed.code != kNotFound) throw;
            link.open(channel_);
            link.declare_exchange(channel_, options_.exchange, options_.exchange_type, false);
        }
    }
    const bool own = options_.queue.empty();
    queue_ = own ? own_name() : options_.queue;
    if (own) link.declare_queue(channel_, queue_, options_.arguments, false, true, false);
    else ensure_queue(link, queue_, options_.arguments);
    for (const std::string& key : options_.bind)
        link.bind(channel_, queue_, options_.exchange, key);
    if (options_.retries > 0)
        link.declare_queue(channel_, retry_queue(queue_, options_),
                           retry_arguments(queue_, options_), !own, own, false);
    if (!options_.dead_letter_exchange.empty())
        link.declare_exchange(channel_, options_.dead_letter_exchange, {}, true);
    else if (!options_.dead_letter.empty()) ensure_queue(link, options_.dead_letter, {});
}

void Consumer::ensure_queue(Link& link, const std::string& name, const std::string& arguments) {
    try {
        link.declare_queue(channel_, name, {}, true, false, true);
    } catch (const ChannelClosed& closed) {
        if (closed.code != kNotFound) throw;
        link.open(channel_);
        link.declare_queue(channel_, name, arguments, true, false, false);
    }
}

void Consumer::deliver(Link& link, Delivery delivery) {
    // It came while the consumer was being ended.
    if (ending_) return link.reject(channel_, delivery.tag, true);
    ++home_.figures.received;
    ++in_hand_;
    const auto message = std::make_shared<Message>(std::move(delivery.message));
    restore_origin(*message);
    if (message->body.size() > home_.max_message_bytes)
        return failed(delivery.tag, *message, "the message is too large", true);
    home_.ask(options_, delivery_values(*message, delivery.redelivered),
              [self = shared_from_this(), post = home_.post, epoch = epoch_, tag = delivery.tag,
               message](Answer answer) {
                  post([self, epoch, tag, message, answer = std::move(answer)] {
                      self->settle(epoch, tag, message, answer);
                  });
              });
}

void Consumer::settle(std::uint64_t epoch, std::uint64_t tag,
                      const std::shared_ptr<Message>& message, const Answer& answer) {
    if (epoch != epoch_ || !link_) return;  // it has come again, or will
    if (answer.kind == Answer::Kind::values || answer.kind == Answer::Kind::nothing) {
        --in_hand_;
        ++home_.figures.acknowledged;
        return link_->ack(channel_, tag);
    }
    // The scripts are ending, or are others now: no fault of the message's.
    if (ending_ && answer.code == "unavailable") {
        --in_hand_;
        return link_->reject(channel_, tag, true);
    }
    failed(tag, *message, error_of(answer), false);
}

void Consumer::failed(std::uint64_t tag, const Message& message, const std::string& error,
                      bool final) {
    Fate fate = decide(message, queue_, options_, error, final);
    if (fate.kind == Fate::Kind::drop) {
        --in_hand_;
        ++home_.figures.rejected;
        home_.log(LogLevel::warn, "message rejected", queue_, error);
        return link_->reject(channel_, tag, false);
    }
    const bool retry = fate.kind == Fate::Kind::retry;
    home_.log(retry ? LogLevel::debug : LogLevel::warn,
              retry ? "message to be tried again" : "message to the dead letters", queue_, error);
    // Acknowledged once its copy is safe.
    home_.outbox.add(
        {.message = std::move(fate.message),
         .done =
             [self = shared_from_this(), epoch = epoch_, tag, retry](const std::string& why) {
                 if (epoch != self->epoch_ || !self->link_) return;
                 if (!why.empty())
                     return self->start_over(
                         self->link_,
                         (retry ? "can't be tried again: " : "no dead letters: ") + why);
                 --self->in_hand_;
                 Figures& figures = self->home_.figures;
                 ++(retry ? figures.retried : figures.dead_lettered);
                 self->link_->ack(self->channel_, tag);
             },
         .fleeting = true});
}

void Consumer::start_over(Link* link, const std::string& why) {
    const Channel channel = channel_;
    channel_gone(why);
    link->close(channel);
}

void Consumer::channel_gone(const std::string& why) {
    const Time now = std::chrono::steady_clock::now();
    link_lost();
    if (why != error_) home_.log(LogLevel::warn, "consumer failed", figures().queue, why);
    error_ = why;
    backoff_.held(opened_, now);
    next_ = now + backoff_.next();
}

void Consumer::consumer_gone(Link& link) { start_over(&link, "the queue was deleted"); }

void Consumer::link_lost() {
    channel_ = 0;
    link_ = nullptr;
    in_hand_ = 0;
    ++epoch_;
    next_ = {};
}

bool Consumer::finish(Link* link) {
    if (!ending_) return false;
    if (!link || !channel_) return true;
    try {
        if (!std::exchange(cancelled_, true)) link->cancel(channel_);
    } catch (const ChannelClosed& closed) {
        channel_gone(closed.what());
        return true;
    }
    if (in_hand_ > 0) return false;
    link->close(std::exchange(channel_, 0));
    return true;
}

}  // namespace moonwire::amqp
