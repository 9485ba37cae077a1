/** Who may import whom; docs/architecture.md draws the same map. */
const adapters = (program, folders) =>
  folders.map((folder) => ({
    name: `${program}-${folder}-stands-alone`,
    comment: 'adapters never import each other; main.ts and the loop compose them',
    severity: 'error',
    from: { path: `^${program}/${folder}/`, pathNot: '\\.test\\.ts$' },
    to: { path: `^${program}/(${folders.filter((other) => other !== folder).join('|')})/` },
  }))

module.exports = {
  forbidden: [
    { name: 'no-cycle', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'programs-stand-alone',
      severity: 'error',
      from: { path: '^(controller|agent|proto|trust)/', pathNot: '\\.test\\.ts$' },
      to: { path: '^cli/' },
    },
    {
      name: 'controller-and-agent-never-meet',
      severity: 'error',
      from: { path: '^(controller|agent)/', pathNot: '\\.test\\.ts$' },
      to: { path: '^(controller|agent)/', pathNot: '^$1/' },
    },
    {
      name: 'proto-imports-no-program',
      severity: 'error',
      from: { path: '^proto/' },
      to: { path: '^(trust|controller|agent|cli|test)/' },
    },
    {
      name: 'trust-imports-only-proto',
      comment: 'private keys are handled here, for operators and the controller; docs/adr/0011',
      severity: 'error',
      from: { path: '^trust/', pathNot: '\\.test\\.ts$' },
      to: { path: '^(controller|agent|cli|test)/' },
    },
    {
      name: 'agent-handles-no-authority',
      severity: 'error',
      from: { path: '^agent/', pathNot: '\\.test\\.ts$' },
      to: { path: '^trust/' },
    },
    {
      name: 'cli-sees-only-pure-cores',
      severity: 'error',
      from: { path: '^cli/', pathNot: '\\.test\\.ts$' },
      to: { path: '^(controller|agent)/', pathNot: '^(controller/(desired-state|rollout)|agent/update)/' },
    },
    {
      name: 'desired-state-is-pure',
      severity: 'error',
      from: { path: '^controller/desired-state/', pathNot: '\\.test\\.ts$' },
      to: {
        pathNot:
          '^controller/desired-state/|^proto/kernel-arguments\\.ts$|^node_modules/(zod|yaml|semver|@types/semver)/',
      },
    },
    {
      name: 'rollout-is-pure',
      severity: 'error',
      from: { path: '^controller/rollout/', pathNot: '\\.test\\.ts$' },
      to: { pathNot: '^controller/(rollout|desired-state)/' },
    },
    {
      name: 'update-is-pure',
      severity: 'error',
      from: { path: '^agent/update/', pathNot: '\\.test\\.ts$' },
      to: { pathNot: '^agent/update/' },
    },
    {
      name: 'container-snap-is-a-program-of-its-own',
      severity: 'error',
      from: { path: '^agent/container-snap/', pathNot: '\\.test\\.ts$|/testing/' },
      to: { pathNot: '^agent/container-snap/|^node_modules/execa/', dependencyTypesNot: ['core'] },
    },
    {
      name: 'agent-knows-container-snap-only-as-a-process',
      severity: 'error',
      from: { path: '^agent/(?!container-snap/)', pathNot: '\\.test\\.ts$|^agent/adopt/testing/' },
      to: { path: '^agent/container-snap/' },
    },
    ...adapters('controller', [
      'sources',
      'images',
      'store',
      'plans',
      'grpc',
      'pki',
      'analysis',
      'forges',
      'webhooks',
      'web',
    ]),
    {
      name: 'the-page-runs-in-a-browser',
      comment: 'of proto/audit-entry.ts only the type, which leaves nothing behind',
      severity: 'error',
      from: { path: '^(controller/web/page|proto/picture)/', pathNot: '\\.test\\.ts$' },
      to: {
        pathNot:
          '^(controller/web/page|proto/picture|proto/gen)/|^proto/audit-entry\\.ts$|^node_modules/(preact|@bufbuild/protobuf)/',
      },
    },
    {
      name: 'proto-needs-no-page',
      severity: 'error',
      from: { path: '^proto/' },
      to: { path: '^node_modules/(preact|hono)/' },
    },
    ...adapters('agent', ['plans', 'report', 'hosts', 'health', 'identity']),
    {
      name: 'programs-do-not-import-tests',
      severity: 'error',
      from: { path: '^(proto|trust|controller|agent|cli)/', pathNot: '\\.test\\.ts$' },
      to: { path: '\\.test\\.ts$|^test/' },
    },
    {
      name: 'processes-start-in-one-file-per-program',
      severity: 'error',
      from: {
        path: '^(proto|trust|controller|agent|cli)/',
        pathNot: [
          '\\.test\\.ts$',
          '/testing/',
          '^controller/sources/git-process\\.ts$',
          '^controller/analysis/check-process\\.ts$',
          '^agent/exec\\.ts$',
          '^agent/container-snap/exec\\.ts$',
          '^cli/(dev/process|exec)\\.ts$',
        ],
      },
      to: { path: '^node_modules/execa/|^(node:)?child_process$' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(dist|\\.cache|coverage)/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.base.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'types'],
    },
  },
}
