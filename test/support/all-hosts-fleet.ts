/** One fleet of every host, as it stands in git, and what is said of some of them: the name, then the spec's fields. */
export function allHostsFleet(
  digest: string | undefined,
  hosts: readonly (readonly [name: string, spec: string])[],
): string {
  const declared = hosts.map(
    ([name, spec]) => `---
apiVersion: bootfleet.dev/v1alpha1
kind: Host
metadata: { name: ${name} }
spec: { ${spec} }
`,
  )
  return `apiVersion: bootfleet.dev/v1alpha1
kind: Fleet
metadata: { name: edge }
spec:
  selector: { all: true }
  image: { repository: r.example/os, digest: "${digest}" }
  strategy: s
---
apiVersion: bootfleet.dev/v1alpha1
kind: RolloutStrategy
metadata: { name: s }
spec: { onFailure: Pause }
${declared.join('')}`
}
