// SPDX-License-Identifier: Apache-2.0
// Asks the provider which models its account may use, when a front wants to know. The worker does it because it may
// connect and has the token; front gets names and nothing else.

import Curl
import Gateway
import IPC
import JSON
import Journal

final class ModelLister {
    private unowned let worker: WorkerProcess
    private let url: String
    private let form: ModelListing.Form
    private var asking: [FrontLink] = []
    private var transfer: ModelListTransfer?
    /// The last attempt failed, and that was said.
    private var isInTrouble = false

    /// nil where the provider does not tell.
    init?(_ worker: WorkerProcess) {
        guard let url = worker.config.modelsURL, let listing = worker.config.profile.listing else {
            return nil
        }
        self.worker = worker
        self.url = url
        form = listing.form
    }

    /// A front wants to know; those that ask meanwhile get the same answer.
    func ask(for link: FrontLink) {
        asking.append(link)
        guard asking.count == 1 else { return }
        guard let credentials = worker.credentials else { return start(nil) }
        credentials.acquireAny { [weak self] in
            switch $0 {
            case .success(let lease): self?.start(lease)
            case .failure(let error): self?.failed(error.message)
            }
        }
    }

    private func start(_ lease: CredentialLease?) {
        do {
            transfer = try worker.listModels(lease, at: url) { [weak self] in self?.ended($0, lease) }
        } catch {
            failed("\(error)")
        }
    }

    private func ended(_ outcome: ModelListTransfer.Outcome, _ lease: CredentialLease?) {
        transfer = nil
        switch outcome {
        case .failed(let text): failed(text)
        case .answered(200, let body):
            guard let models = ModelList.read(body, form, parser: worker.parser) else {
                return failed("the answer is no list of models")
            }
            isInTrouble = false
            worker.learn(models)
            let links = asking
            asking = []
            for link in links { link.send(.workerModels, OfferedModels(models.map(\.name))) }
        case .answered(let status, _):
            // The next time there is another token.
            if status == 401, let lease { worker.credentials?.report(lease) }
            failed("status \(status)")
        }
    }

    /// Fronts keep what they know.
    private func failed(_ text: String) {
        asking = []
        guard !isInTrouble else { return }
        isInTrouble = true
        worker.complain(
            "the models of \(worker.config.provider) are not known, the last list stays in use: \(text)")
    }
}
