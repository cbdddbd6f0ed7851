// The plugin "metrics": the broker's, the scripts' and the plugins' figures for Prometheus.
#include <strings.h>

#include "core/plugin/api/plugin.hpp"
#include "plugins/metrics/bearer.hpp"
#include "plugins/metrics/scraper.hpp"

namespace moonwire::metrics {
namespace {

using namespace plugin;

std::string_view header(const HttpRequest& request, const char* name) {
    for (const auto& [each, value] : request.headers)
        if (strcasecmp(each.c_str(), name) == 0) return value;
    return {};
}

class MetricsPlugin final : public Plugin {
public:
    void configure(Host& host, Settings& settings) override {
        host_ = &host;
        token_ = settings.text("token");
        // An unset variable must not open the door.
        if (settings.has("token") && token_.empty()) settings.fail("token", "is empty");
        const std::string path = settings.text("path", "/metrics");
        if (!path.starts_with('/') || path.ends_with('/'))
            return settings.fail("path", "expected as in \"/metrics\"");
        host.provide(HttpRoute{path, {"GET"}, [this](HttpRequest request, Respond respond) {
                                   answer(request, std::move(respond));
                               }});
        host.provide(MetricsSource([this](Metrics& all) {
            all.push_back({"metrics_scrapes_total",
                           "Answers made for scrapers.",
                           MetricKind::counter,
                           {},
                           {},
                           {{{}, static_cast<double>(scraper_.made()), {}}}});
        }));
    }

    void start() override {
        scraper_.start([this] { return host_->metrics(); });
    }
    void stop() override { scraper_.stop(); }

private:
    void answer(const HttpRequest& request, Respond respond) {
        if (!token_.empty() && !brings_token(header(request, "authorization"), token_))
            return respond(
                {401,
                 {{"content-type", "text/plain; charset=utf-8"}, {"www-authenticate", "Bearer"}},
                 "A token is needed\n"});
        scraper_.ask(choose_format(header(request, "accept")), std::move(respond));
    }

    Host* host_ = nullptr;
    std::string token_;
    Scraper scraper_;
};

}  // namespace
}  // namespace moonwire::metrics

MOONWIRE_PLUGIN("metrics", moonwire::metrics::MetricsPlugin)
