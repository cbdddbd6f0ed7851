#include "plugins/metrics/scraper.hpp"

#include <exception>
#include <map>
#include <utility>

namespace moonwire::metrics {
namespace {

plugin::HttpResponse plain(unsigned status, std::string text) {
    return {status, {{"content-type", "text/plain; charset=utf-8"}}, std::move(text)};
}

}  // namespace

void Scraper::start(Collect collect) {
    collect_ = std::move(collect);
    thread_ = std::thread([this] { run(); });
}

void Scraper::ask(Format format, plugin::Respond respond) {
    {
        std::lock_guard lock(mutex_);
        if (!stopping_ && questions_.size() < kMaxWaiting) {
            questions_.push_back({format, std::move(respond)});
            asked_.notify_one();
            return;
        }
    }
    respond(plain(503, "Too many scrapes at once\n"));
}

void Scraper::stop() {
    {
        std::lock_guard lock(mutex_);
        stopping_ = true;
        asked_.notify_one();
    }
    if (thread_.joinable()) thread_.join();
    std::deque<Question> left;
    {
        std::lock_guard lock(mutex_);
        left = std::exchange(questions_, {});
    }
    for (Question& each : left) each.respond(plain(503, "Shutting down\n"));
}

std::uint64_t Scraper::made() const {
    std::lock_guard lock(mutex_);
    return made_;
}

void Scraper::run() {
    std::unique_lock lock(mutex_);
    for (;;) {
        asked_.wait(lock, [this] { return stopping_ || !questions_.empty(); });
        if (stopping_) return;
        auto questions = std::exchange(questions_, {});
        ++made_;
        lock.unlock();
        answer(std::move(questions));
        lock.lock();
    }
}

void Scraper::answer(std::deque<Question> questions) {
    std::map<Format, plugin::HttpResponse> answers;
    try {
        const plugin::Metrics metrics = collect_();
        for (const Question& each : questions)
            if (!answers.contains(each.format))
                answers[each.format] = {
                    200,
                    {{"content-type", content_type(each.format)}, {"cache-control", "no-store"}},
                    expose(metrics, each.format)};
    } catch (const std::exception&) {  // memory, at most
        for (const Question& each : questions)
            answers[each.format] = plain(500, "The figures could not be had\n");
    }
    for (Question& each : questions) each.respond(answers[each.format]);
}

}  // namespace moonwire::metrics
