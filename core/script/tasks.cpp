#include "core/script/tasks.hpp"

#include <vector>

#include "core/base/log.hpp"

namespace moonwire::script {

void log_bug(Generation& generation, std::string_view what, std::string_view name,
             const Failure& failure) {
    generation.runtime().scheduler->stats().failed.add();
    std::vector<log::Field> fields = {{"namespace", generation.nsp()}, {what, name}};
    // An error of memory or of the stack carries no position: the handler's own must do.
    if (const auto handler = generation.events.find(name); handler != generation.events.end())
        fields.emplace_back("handler", handler->second.position);
    fields.emplace_back("generation", generation.number());
    log::write(log::Level::error, failure.traceback, fields.data(), fields.size());
}

void report_background(Generation& generation, std::string_view what, Outcome& outcome) {
    if (outcome.ok) return;
    Failure failure = describe_failure(generation.runtime().state(), outcome);
    failure.traceback += origin_trail(outcome.origin);
    if (failure.is_bug) return log_bug(generation, "in", what, failure);
    log::warn(failure.message, {{"namespace", generation.nsp()},
                                {"in", what},
                                {"code", failure.code},
                                {"generation", generation.number()}});
}

void log_task_not_started(Generation& generation, std::string_view what, std::string_view why) {
    log::error("a handler could not start", {{"namespace", generation.nsp()},
                                             {"in", what},
                                             {"reason", why},
                                             {"generation", generation.number()}});
}

}  // namespace moonwire::script
