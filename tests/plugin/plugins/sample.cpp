// A plugin that offers one of everything, for the tests.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <vector>

#include "core/plugin/api/plugin.hpp"

namespace {

using namespace moonwire::plugin;

class Sample final : public Plugin {
public:
    void configure(Host& host, Settings& settings) override {
        host_ = &host;
        greeting_ = settings.text("greeting", "hello");
        fail_at_ = settings.text("fail_at");
        const auto limit = settings.integer("limit", 10, 1, 100);
        for (Settings& each : settings.tables("entry"))
            if (each.text("name").empty()) each.fail("name", "expected a name");
        if (fail_at_ == "configure") throw std::runtime_error("configure failed as told");
        if (fail_at_ == "nothing" && limit > 50) settings.fail("limit", "too much for nothing");
        host.log(LogLevel::info, "configured", {{"greeting", greeting_}});

        Module module;
        module.immediate["greeting"] = [this](const Call&) {
            return Answer::values("[\"" + greeting_ + "\"]");
        };
        module.immediate["echo"] = [](const Call& call) {
            return Answer::values(call.arguments.json, call.arguments.attachments);
        };
        module.immediate["nsp"] = [](const Call& call) {
            return Answer::values("[\"" + call.nsp + "\"]");
        };
        module.immediate["throw"] = [](const Call&) -> Answer {
            throw std::runtime_error("thrown as told");
        };
        module.immediate["no_json"] = [](const Call&) { return Answer::values("oops"); };
        module.waiting["later"] = [this](Call call, Reply reply) {
            in_thread([arguments = std::move(call.arguments), reply = std::move(reply)] {
                std::this_thread::sleep_for(std::chrono::milliseconds(20));
                reply(Answer::values(arguments.json, arguments.attachments));
                reply(Answer::nothing("a second answer"));
            });
        };
        module.waiting["at_once"] = [](Call call, Reply reply) {
            reply(Answer::values(call.arguments.json));
        };
        module.waiting["nothing"] = [this](Call, Reply reply) {
            in_thread([reply = std::move(reply)] { reply(Answer::nothing("not today")); });
        };
        module.waiting["fail"] = [this](Call, Reply reply) {
            in_thread([reply = std::move(reply)] {
                reply(Answer::failure("teapot", "short and stout", R"({"handle":1})"));
            });
        };
        module.waiting["error"] = [this](Call, Reply reply) {
            in_thread([reply = std::move(reply)] { reply(Answer::error("sample is broken")); });
        };
        module.waiting["drop"] = [](Call, Reply) {};
        module.waiting["keep"] = [this](Call, Reply reply) {
            std::lock_guard lock(mutex_);
            kept_.push_back(std::move(reply));
        };
        module.waiting["throw_later"] = [](Call, Reply) { throw 1; };
        module.waiting["emit"] = [this](Call call, Reply reply) {
            in_thread([this, call = std::move(call), reply = std::move(reply)] {
                const bool sent = host_->emit({call.nsp, "sampled", call.arguments, {"here"}}) &&
                                  host_->deliver(call.nsp, "delivered", call.arguments);
                const bool nowhere = host_->emit({"/nowhere", "sampled"}) ||
                                     host_->deliver("/nowhere", "delivered", {}) ||
                                     host_->emit({call.nsp, "connect"});
                reply(Answer::values(sent && !nowhere ? "[true]" : "[false]"));
            });
        };
        module.waiting["fetch"] = [this](Call call, Reply reply) {
            const std::string url = call.arguments.json.substr(2, call.arguments.json.size() - 4);
            host_->request({"GET", url}, [reply](HttpAnswer answer) {
                if (!answer.error.empty()) return reply(Answer::nothing(answer.error));
                reply(Answer::values("[" + std::to_string(answer.response.status) + "," +
                                     std::to_string(answer.response.body.size()) + "]"));
            });
        };
        module.waiting["stats"] = [this](Call, Reply reply) {
            reply(Answer::values("[" + host_->stats() + "]"));
        };
        module.waiting["ask"] = [this](Call call, Reply reply) {
            in_thread([this, call = std::move(call), reply = std::move(reply)] {
                host_->ask(call.nsp, "asked", call.arguments, reply);
            });
        };
        module.script = R"lua(
local functions, handle, want = ...
functions.handle, functions.want = handle, want
return functions
)lua";
        module.wanted = [this](const Call& call) {
            if (fail_at_ == "wanted") throw std::runtime_error("wanted failed as told");
            host_->log(LogLevel::info, "wanted",
                       {{"nsp", call.nsp}, {"wants", call.arguments.json}});
        };
        host.provide(std::move(module));

        host.provide(
            HttpRoute{"/sample", {"GET", "POST"}, [](HttpRequest request, Respond respond) {
                          respond({200,
                                   {{"content-type", "text/plain"}},
                                   request.method + " " + request.query + " " + request.body});
                      }});
        host.provide(
            HttpRoute{"/sample/below/", {"GET"}, [this](HttpRequest request, Respond respond) {
                          in_thread([path = request.path, respond = std::move(respond)] {
                              respond({203, {}, path});
                          });
                      }});
        host.provide(HttpRoute{"/sample/throw", {"GET"}, [](HttpRequest, Respond) {
                                   throw std::runtime_error("thrown as told");
                               }});
        host.provide(HttpRoute{"/sample/drop", {"GET"}, [](HttpRequest, Respond) {}});
    }
    void start() override {
        if (fail_at_ == "start") throw std::runtime_error("start failed as told");
        host_->log(LogLevel::info, "started");
    }
    void drain() override {
        host_->log(LogLevel::info, "drained");
        if (fail_at_ == "drain") throw std::runtime_error("drain failed as told");
    }
    void stop() override {
        host_->log(LogLevel::info, "stopped");
        std::vector<std::thread> threads;
        {
            std::lock_guard lock(mutex_);
            threads.swap(threads_);
        }
        for (std::thread& each : threads) each.join();
    }

private:
    template <typename Work>
    void in_thread(Work work) {
        std::lock_guard lock(mutex_);
        threads_.emplace_back(std::move(work));
    }

    Host* host_ = nullptr;
    std::string greeting_, fail_at_;
    std::mutex mutex_;
    std::vector<std::thread> threads_;
    std::vector<Reply> kept_;
};

}  // namespace

MOONWIRE_PLUGIN("sample", Sample)
