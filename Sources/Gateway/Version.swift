// SPDX-License-Identifier: Apache-2.0
// The one place that knows ccr's version.

package enum CCR {
    /// Semantic version; also the Debian upstream version.
    package static let version = "0.1.0"
}
