#include "core/script/test_world.hpp"

#include <utility>

namespace moonwire::script {

TestWorld::TestWorld(Options options)
    : options_(std::move(options)),
      store_(options_.make_store ? options_.make_store() : nullptr),
      server_(options_.server, {&reactor_}),
      host_(host_options(), server_, {&reactor_}) {
    reactor_.set_wall_start(options_.wall_start);
    incidents_.listen(*this);
}

TestWorld::~TestWorld() {
    // The scripts end first: no handler is to run after its test.
    answer_http_ = nullptr;
    host_.stop();
    reactor_.settle();
    for (const auto& session : sessions_) session->drop();
    reactor_.settle();
    incidents_.forget(*this);
}

HostOptions TestWorld::host_options() {
    HostOptions host = options_.host;
    host.http = this;
    host.store.store = store_.get();
    host.limits.extensions = plugins_.wrap(host.limits.extensions);
    for (auto& [name, own] : host.namespaces) own.limits.extensions = host.limits.extensions;
    return host;
}

std::vector<LoadError> TestWorld::load() {
    auto errors = host_.load();
    logged_.clear();  // what the host says of it is no test's business
    for (const auto& [name, target] : options_.aliases)
        if (auto added = server_.add_alias(name, target); !added)
            errors.push_back({"moonwire.toml", 0, added.error().message});
    if (errors.empty()) settle();
    return errors;
}

std::shared_ptr<TestSession> TestWorld::open(engineio::Handshake handshake,
                                             TestSession::Question question) {
    auto session =
        std::make_shared<TestSession>(reactor_, "session" + std::to_string(sessions_.size() + 1),
                                      std::move(handshake), std::move(question));
    session->start(server_.on_session(session));
    sessions_.push_back(session);
    return session;
}

void TestWorld::settle() {
    const bool outer = std::exchange(turning_, true);
    while (!overdue() && (reactor_.turn() || plugins_.settle(options_.deadline))) {
    }
    turning_ = outer;
}

void TestWorld::advance(Duration by) {
    wait([] { return false; }, by);
    incidents_.tell_repeats(Clock::now());
    settle();
}

bool TestWorld::wait(const std::function<bool()>& done, Duration limit) {
    const TimePoint until = reactor_.now() + limit;
    const bool outer = std::exchange(turning_, true);
    bool is_done = false;
    for (;;) {
        settle();
        if ((is_done = done()) || overdue()) break;
        const auto next = reactor_.next_timer();
        if (!next || *next > until) {
            reactor_.skip_to(until);
            break;
        }
        reactor_.skip_to(*next);
        reactor_.run_due();
    }
    turning_ = outer;
    return is_done;
}

void TestWorld::on_line(log::Level level, std::string_view message, const log::Field* fields,
                        std::size_t count) {
    logged_.push_back({level, std::string(message), {fields, fields + count}});
}

void TestWorld::on_incident(const Incident& incident) {
    if (incident.suspicious()) host_.tell_suspicion(incident);
}

void TestWorld::request(OutgoingRequest request, Reactor& home,
                        Function<void(Result<IncomingResponse>)> done) {
    home.post([this, request = std::move(request), done = std::move(done)]() mutable {
        if (answer_http_) done(answer_http_(request));
        else done(Error{"no answer"});
    });
}

}  // namespace moonwire::script
