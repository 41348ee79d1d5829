// simdjson's DOM tape for Swift.
#pragma once
