#include "plugins/amqp/connection.hpp"

#include <algorithm>
#include <string_view>
#include <utility>
#include <variant>

#include "plugins/amqp/script_values.hpp"

namespace moonwire::amqp {

using namespace std::chrono_literals;
using plugin::LogLevel;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace {

constexpr Channel kPublishing = 1;  // consumers have those beyond it
constexpr int kMaxTurn = 1000;      // what is read between two looks at everything else
constexpr milliseconds kTick = 1s;  // heartbeats need one at least so often
constexpr milliseconds kExpireInterval = 100ms;

}  // namespace

Connection::Connection(ConnectionOptions options, LinkOptions link, std::size_t max_message_bytes,
                       ConnectionHome home)
    : options_(std::move(options)),
      link_options_(std::move(link)),
      home_(std::move(home)),
      consumer_home_{
          [this](const ConsumerOptions& consumer, plugin::Values values, plugin::Reply reply) {
              home_.ask("message " + options_.name + " " + consumer.id, std::move(values),
                        std::move(reply));
          },
          {},
          [this](LogLevel level, const std::string& message, const std::string& queue,
                 const std::string& reason) {
              home_.log(level, message,
                        {{"connection", options_.name}, {"queue", queue}, {"reason", reason}});
          },
          outbox_,
          figures_,
          max_message_bytes},
      backoff_(options_.reconnection_delay, options_.reconnection_delay_max) {
    shown_.url = options_.address.shown();
}

Connection::~Connection() {
    if (thread_.joinable()) thread_.join();
}

void Connection::start() {
    // Answers may come when this is gone.
    consumer_home_.post = [weak = weak_from_this()](Task task) {
        if (const auto self = weak.lock()) self->post(std::move(task));
    };
    consume(options_.consumers);
    thread_ = std::thread([this] { run(); });
}

void Connection::post(Task task) {
    {
        std::lock_guard lock(mutex_);
        if (closed_) return;
        tasks_.push_back(std::move(task));
    }
    wakeup_.wake();
}

void Connection::consume(std::vector<ConsumerOptions> consumers) {
    post([this, consumers = std::move(consumers)] { set_consumers(consumers); });
}

void Connection::publish(Publication publication, Done done) {
    const std::size_t bytes = publication.message.body.size() + publication.message.headers.size();
    const auto item = std::make_shared<Outbox::Item>();
    item->message = std::move(publication.message);
    item->done = [this, bytes, done](const std::string& why) {
        ++(why.empty() ? figures_.sent : figures_.failed);
        {
            std::lock_guard lock(mutex_);
            --buffered_;
            buffered_bytes_ -= bytes;
        }
        done(why);
    };
    if (publication.timeout > 0ms) item->deadline = steady_clock::now() + publication.timeout;
    const char* refused = nullptr;
    {
        std::lock_guard lock(mutex_);
        if (closed_) {
            refused = "closed";
        } else if (buffered_ >= options_.buffer ||
                   buffered_bytes_ + bytes > options_.buffer_bytes) {
            refused = "buffer full";
            ++dropped_;
        } else {
            ++buffered_;
            buffered_bytes_ += bytes;
            tasks_.push_back([this, item] { outbox_.add(std::move(*item)); });
        }
    }
    if (refused) return done(refused);
    wakeup_.wake();
}

Status Connection::status() const {
    std::lock_guard lock(mutex_);
    Status status = shown_;
    status.queued = buffered_;
    status.figures.dropped = dropped_;
    return status;
}

void Connection::end(milliseconds grace) {
    post([this, grace] {
        set_consumers({});
        ending_ = steady_clock::now() + grace;
    });
}

void Connection::run() {
    while (!is_through(steady_clock::now())) turn();
    if (link_) link_->say_goodbye();
    link_.reset();
    std::deque<Task> rest;
    {
        std::lock_guard lock(mutex_);
        closed_ = true;
        rest = std::exchange(tasks_, {});
    }
    for (const auto& each : consumers_) each->link_lost();
    for (const Task& task : rest) task();
    outbox_.fail_all("closed");
    linked_.reset();
    state_ = "closed";
    show();
    ended_ = true;
}

bool Connection::is_through(Time now) const {
    if (!ending_) return false;
    return !link_ || now >= *ending_ ||
           (consumers_.empty() && outbox_.waiting() == 0 && outbox_.unconfirmed() == 0);
}

void Connection::turn() {
    wait(steady_clock::now());
    try {
        if (!link_ && steady_clock::now() >= next_attempt_) connect();
        run_tasks();
        if (link_) {
            tend_consumers();
            pump();
            // Last: what an answer was waited for over may have been read, too, and would wait for
            // the socket's next bytes.
            read();
        }
    } catch (const LinkDown& down) {
        lost(down.what(), down.refused);
    } catch (const ChannelClosed& closed) {
        lost(closed.what(), false);
    }
    const Time now = steady_clock::now();
    if (now - expired_ >= kExpireInterval) {
        expired_ = now;
        outbox_.expire(now);
    }
    show();
}

void Connection::wait(Time now) {
    if (std::exchange(more_, false)) return;
    Time until = now + kTick;
    if (outbox_.waiting() + outbox_.unconfirmed() > 0) until = now + kExpireInterval;
    if (ending_) until = std::min(until, *ending_);
    if (link_)
        for (const auto& each : consumers_) until = std::min(until, each->next());
    else until = std::min(until, next_attempt_);
    const auto limit = std::max<Time::duration>(until - now, 0ms);
    wakeup_.wait(link_ ? link_->descriptor() : -1, std::chrono::ceil<milliseconds>(limit));
}

void Connection::run_tasks() {
    for (;;) {
        Task task;
        {
            std::lock_guard lock(mutex_);
            if (tasks_.empty()) return;
            task = std::move(tasks_.front());
            tasks_.pop_front();
        }
        task();
    }
}

void Connection::connect() {
    ++figures_.attempts;
    show();
    link_ = std::make_unique<Link>(options_.address, link_options_);
    linked_ = steady_clock::now();
    if (first_linked_) ++figures_.reconnections;
    else first_linked_ = linked_;
    last_error_.clear();
    home_.log(LogLevel::info, "connected",
              {{"connection", options_.name}, {"url", options_.address.shown()}});
    set_state("connected", {});
}

void Connection::lost(const std::string& why, bool refused) {
    const Time now = steady_clock::now();
    if (linked_) {
        up_before_ += now - *linked_;
        backoff_.held(*linked_, now);
    }
    const bool news = linked_ || why != last_error_;
    linked_.reset();
    link_.reset();
    can_publish_ = blocked_ = false;
    last_error_ = why;
    next_attempt_ = now + backoff_.next();
    for (const auto& each : consumers_) each->link_lost();
    std::erase_if(consumers_, [](const auto& each) { return each->finish(nullptr); });
    outbox_.disconnected();
    // The same again and again is told once.
    home_.log(news ? LogLevel::warn : LogLevel::debug, refused ? "refused" : "disconnected",
              {{"connection", options_.name}, {"url", options_.address.shown()}, {"reason", why}});
    set_state(refused ? "refused" : "disconnected", why);
}

void Connection::set_consumers(const std::vector<ConsumerOptions>& wanted) {
    const auto is_wanted = [&](const Consumer& consumer) {
        return std::find(wanted.begin(), wanted.end(), consumer.options()) != wanted.end();
    };
    const auto is_there = [&](const ConsumerOptions& options) {
        return std::any_of(consumers_.begin(), consumers_.end(), [&](const auto& each) {
            return !each->is_ending() && each->options() == options;
        });
    };
    // Before anything that may throw.
    std::vector<std::shared_ptr<Consumer>> ending;
    for (const auto& each : consumers_)
        if (!each->is_ending() && !is_wanted(*each)) ending.push_back(each);
    for (const ConsumerOptions& options : wanted)
        if (!is_there(options))
            consumers_.push_back(std::make_shared<Consumer>(options, consumer_home_));
    for (const auto& each : ending) each->set_ending();
}

void Connection::tend_consumers() {
    std::erase_if(consumers_, [this](const auto& each) { return each->finish(link_.get()); });
    const Time now = steady_clock::now();
    for (const auto& each : consumers_)
        if (each->is_due(now)) each->open(*link_, free_channel(), now);
}

Channel Connection::free_channel() const {
    Channel channel = kPublishing + 1;
    while (consumer_of(channel)) ++channel;
    return channel;
}

Consumer* Connection::consumer_of(Channel channel) const {
    const auto found =
        std::find_if(consumers_.begin(), consumers_.end(),
                     [channel](const auto& each) { return each->channel() == channel; });
    return found == consumers_.end() ? nullptr : found->get();
}

void Connection::pump() {
    if (blocked_ || outbox_.waiting() == 0) return;
    if (!can_publish_) {
        link_->open(kPublishing);
        link_->select_confirms(kPublishing);
        published_ = 0;
        can_publish_ = true;
    }
    while (const Message* message = outbox_.next()) {
        link_->publish(kPublishing, *message);
        outbox_.sent(++published_);
    }
}

void Connection::read() {
    for (int i = 0; i < kMaxTurn; ++i) {
        auto incoming = link_->next();
        if (!incoming) return;
        std::visit([this](auto& each) { take(std::move(each)); }, *incoming);
        // Its outcome may leave room to send, or a channel to open again.
        more_ = true;
    }
}

void Connection::take(Delivery delivery) {
    if (Consumer* consumer = consumer_of(delivery.channel))
        consumer->deliver(*link_, std::move(delivery));
}

void Connection::take(const Confirm& confirm) {
    if (confirm.channel == kPublishing)
        outbox_.confirmed(confirm.tag, confirm.multiple, confirm.accepted);
}

void Connection::take(const Returned& returned) {
    outbox_.returned(returned.message, "unroutable: " + returned.why);
}

void Connection::take(const ChannelGone& gone) {
    if (gone.channel == kPublishing) {
        can_publish_ = false;
        outbox_.channel_closed(gone.why);
    } else if (Consumer* consumer = consumer_of(gone.channel)) {
        consumer->channel_gone(gone.why);
    }
}

void Connection::take(const ConsumerGone& gone) {
    if (Consumer* consumer = consumer_of(gone.channel)) consumer->consumer_gone(*link_);
}

void Connection::take(const Blocked& blocked) {
    blocked_ = blocked.blocked;
    home_.log(LogLevel::warn,
              blocked_ ? "the server takes no messages" : "the server takes messages",
              {{"connection", options_.name}, {"reason", blocked.why}});
    set_state(blocked_ ? "blocked" : "connected", blocked.why);
}

void Connection::set_state(const char* state, const std::string& detail) {
    if (std::string_view(state_) == state) return;
    state_ = state;
    show();
    home_.ask("status " + options_.name, status_values(state, detail), [](plugin::Answer) {});
}

void Connection::show() {
    std::vector<ConsumerFigures> consumers;
    for (const auto& each : consumers_) consumers.push_back(each->figures());
    std::lock_guard lock(mutex_);
    shown_.state = state_;
    shown_.last_error = last_error_;
    shown_.figures = figures_;
    shown_.consumers = std::move(consumers);
    shown_.first_connected = first_linked_;
    shown_.connected_since = linked_;
    shown_.up_before = up_before_;
}

}  // namespace moonwire::amqp
