#pragma once

#include <hiredis/hiredis.h>

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "plugins/redis/address.hpp"

namespace moonwire::redis {

/// The connection can't be made, or is over; its text says why.
struct LinkDown : std::runtime_error {
    using std::runtime_error::runtime_error;
};

struct FreeReply {
    void operator()(redisReply* reply) const { freeReplyObject(reply); }
};
using Reply = std::unique_ptr<redisReply, FreeReply>;

/// A connection to a Redis server that answers, logged in. One thread, which waits in here for a
/// whole timeout at most. Whatever goes wrong is LinkDown, and the link is then of no further use.
class Link {
public:
    Link(const Address& address, std::chrono::seconds timeout);

    /// Queues a command, or several; what they answer is read in their order.
    void append(const std::vector<std::string_view>& command);
    /// Sends what is queued.
    void flush();
    /// Sends what is queued, and waits for the next answer, which may be an error.
    Reply receive();
    /// What came, after waiting for nothing: read it until there is none.
    void read_available();
    Reply next();

    /// To wait for.
    int descriptor() const { return context_->fd; }

private:
    struct Free {
        void operator()(redisContext* context) const { redisFree(context); }
    };
    [[noreturn]] void fail(const char* what) const;
    void login(const Address& address);

    std::unique_ptr<redisContext, Free> context_;
};

}  // namespace moonwire::redis
