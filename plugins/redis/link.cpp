#include "plugins/redis/link.hpp"

#include <sys/time.h>

namespace moonwire::redis {

Link::Link(const Address& address, std::chrono::seconds timeout) {
    const timeval limit{timeout.count(), 0};
    context_.reset(address.path.empty()
                       ? redisConnectWithTimeout(address.host.c_str(), address.port, limit)
                       : redisConnectUnixWithTimeout(address.path.c_str(), limit));
    if (!context_) throw LinkDown("out of memory");
    if (context_->err) fail("connect");
    if (redisSetTimeout(context_.get(), limit) != REDIS_OK) fail("connect");
    login(address);
}

void Link::login(const Address& address) {
    const auto must = [this](const std::vector<std::string_view>& command) {
        append(command);
        const Reply reply = receive();
        if (reply->type == REDIS_REPLY_ERROR)
            throw LinkDown("log in: " + std::string(reply->str, reply->len));
    };
    if (!address.password.empty() && address.user.empty()) must({"AUTH", address.password});
    else if (!address.password.empty()) must({"AUTH", address.user, address.password});
    // A server that hangs takes connections, too; and one may ask for a password.
    must({"PING"});
}

void Link::append(const std::vector<std::string_view>& command) {
    std::vector<const char*> words;
    std::vector<std::size_t> sizes;
    for (const std::string_view word : command) {
        words.push_back(word.data());
        sizes.push_back(word.size());
    }
    if (redisAppendCommandArgv(context_.get(), static_cast<int>(words.size()), words.data(),
                               sizes.data()) != REDIS_OK)
        fail("write");
}

void Link::flush() {
    for (int done = 0; !done;)
        if (redisBufferWrite(context_.get(), &done) != REDIS_OK) fail("write");
}

Reply Link::receive() {
    void* reply = nullptr;
    if (redisGetReply(context_.get(), &reply) != REDIS_OK || !reply) fail("read");
    return Reply(static_cast<redisReply*>(reply));
}

void Link::read_available() {
    if (redisBufferRead(context_.get()) != REDIS_OK) fail("read");
}

Reply Link::next() {
    void* reply = nullptr;
    if (redisGetReplyFromReader(context_.get(), &reply) != REDIS_OK) fail("read");
    return Reply(static_cast<redisReply*>(reply));
}

void Link::fail(const char* what) const {
    throw LinkDown(std::string(what) + ": " + (context_->err ? context_->errstr : "failed"));
}

}  // namespace moonwire::redis
