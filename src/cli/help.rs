//! Examples below the help of each command.

pub(super) const ALL: &str = "\
Examples:
  aiplatform plan -f platform.yaml              what would be created, offline
  aiplatform diff -f platform.yaml              what would change
  aiplatform get assistant -n support -w        a live platform, for as long as you look
  aiplatform audit -f platform.yaml -o html     who may do what, and why, as one page
  aiplatform install-check                      what is missing before the first platform
  kubectl aiplatform diff -f platform.yaml      where this is kubectl-aiplatform on the PATH

Documentation: docs/install.md, docs/operations.md, docs/security.md in the repository";

pub(super) const RUN: &str = "\
Examples:
  aiplatform run --leader-elect --guardrails guardrails.yaml
  aiplatform run --namespace support --cluster-name prod      with the rights of one namespace";

pub(super) const CRD: &str = "\
Example:
  aiplatform crd | kubectl apply --server-side -f -";

pub(super) const PLAN: &str = "\
Examples:
  aiplatform plan -f platform.yaml
  kubectl kustomize overlays/prod | aiplatform plan -f - --guardrails guardrails.yaml
  aiplatform plan -f platform.yaml -o json | jq '.platforms[].summary'

Exit code: 0, or 2 when the input is bad";

pub(super) const DIFF: &str = "\
Examples:
  aiplatform diff -f platform.yaml
  kubectl get aip assistant -n support -o yaml | aiplatform diff -f -

Exit code: 0 without differences, 1 with some, 2 when something could not be read";

pub(super) const GET: &str = "\
Examples:
  aiplatform get assistant -n support
  kubectl aiplatform get assistant -n support -w     goes on while it changes

Exit code: 0, or 2 when there is no such platform";

pub(super) const AUDIT: &str = "\
Examples:
  aiplatform audit -f platform.yaml
  aiplatform audit -f platform.yaml -o html > audit.html
  aiplatform audit -f platform.yaml --live      with the difference to what AWS has

Exit code: 0, 1 when a finding is an error, or 2 when the input is bad";

pub(super) const OPERATOR_POLICY: &str = "\
Examples:
  aiplatform operator-policy --guardrails guardrails.yaml --cluster-name prod
  aiplatform operator-policy -f platform.yaml | jq '.policies[].name'";

pub(super) const INSTALL_CHECK: &str = "\
Examples:
  kubectl -n aiplatform-system exec deployment/aiplatform -- /usr/local/bin/aiplatform install-check
  aiplatform install-check --guardrails guardrails.yaml \\
    --as system:serviceaccount:aiplatform-system:aiplatform \\
    --role-arn arn:aws:iam::123456789012:role/aiplatform-operator
  aiplatform install-check -o json | jq '.checks[] | select(.outcome == \"missing\")'

One line for each check: ok, missing, unknown (it could not be found out, which is neither), or absent (something that not
every platform needs).

Exit code: 0, 1 when something is missing, or 2 when the input is bad";

pub(super) const COMPLETION: &str = "\
Examples:
  source <(aiplatform completion bash)
  aiplatform completion zsh > \"${fpath[1]}/_aiplatform\"
  aiplatform completion fish > ~/.config/fish/completions/aiplatform.fish";
