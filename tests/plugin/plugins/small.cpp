// A plugin of a name and needs that the build chooses. It logs what becomes of it.
#include "core/plugin/api/plugin.hpp"

namespace {

using namespace moonwire::plugin;

class Small final : public Plugin {
public:
    void configure(Host& host, Settings&) override { host_ = &host; }
    void start() override { host_->log(LogLevel::info, "started"); }
    void drain() override { host_->log(LogLevel::info, "drained"); }
    void stop() override { host_->log(LogLevel::info, "stopped"); }

private:
    Host* host_ = nullptr;
};

}  // namespace

#ifdef NEEDS
MOONWIRE_PLUGIN(NAME, Small, NEEDS)
#else
MOONWIRE_PLUGIN(NAME, Small)
#endif
