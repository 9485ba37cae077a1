import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'

/** What a test waits for comes; how soon is the machine's business. */
const patient = { poll: { timeout: 90_000 } } as const
const setupFiles = ['test/support/property-seed.ts']

export default defineConfig({
  test: {
    passWithNoTests: false,
    // Many tests wait for disks and peers: with the default, all cores but one, two cores are one worker.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    projects: [
      {
        test: {
          name: 'unit',
          include: [
            '{proto,trust,controller,agent,cli}/**/*.test.ts',
            'test/{architecture,documents}.test.ts',
          ],
          exclude: [
            'agent/container-snap/**',
            'agent/adopt/{adoption,ending,guide}.test.ts',
            '**/node_modules/**',
          ],
          setupFiles,
          testTimeout: 120_000,
          expect: patient,
          // A NATS server with all its keys and streams, on a machine that does other things too.
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          name: 'host',
          include: ['agent/container-snap/**/*.test.ts'],
          setupFiles,
          testTimeout: 180_000,
          expect: patient,
          hookTimeout: 180_000,
        },
      },
      {
        test: {
          name: 'adopt',
          include: ['agent/adopt/{adoption,ending,guide}.test.ts'],
          setupFiles,
          // The programs run a hundred times on disks that are made for it.
          testTimeout: 600_000,
          hookTimeout: 300_000,
        },
      },
      {
        test: {
          name: 'powercut',
          include: ['test/powercut/*.test.ts'],
          fileParallelism: false,
        },
      },
      {
        test: {
          name: 'powercut-full',
          include: ['test/powercut/full/*.test.ts'],
          fileParallelism: false,
        },
      },
      ...[
        // A machine has one CPU, so two of them at a time.
        { name: 'vm', include: ['test/vm/*.test.ts'], maxWorkers: 2 },
        { name: 'vm-full', include: ['test/vm/full/*.test.ts'], fileParallelism: false },
      ].map((project) => ({
        test: {
          ...project,
          globalSetup: ['test/support/build-programs.ts', 'test/support/vm/prepare-base-image.ts'],
          // Every boot is one in software.
          testTimeout: 2_700_000,
          hookTimeout: 2_700_000,
        },
      })),
      {
        test: {
          name: 'simulation',
          include: ['test/simulation/*.test.ts'],
          // A thousand fleets in one test.
          testTimeout: 1_200_000,
          // Two files share the seeds, and so two cores.
          maxWorkers: 2,
        },
      },
      {
        test: {
          name: 'fuzz',
          include: ['test/fuzz/*.test.ts'],
          // Twenty thousand inputs in one test, and ten times as many in the full form.
          testTimeout: 3_600_000,
          hookTimeout: 180_000,
          maxWorkers: 2,
        },
      },
      {
        test: {
          name: 'web',
          include: ['test/web/*.test.ts'],
          testTimeout: 180_000,
          expect: patient,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          name: 'integration',
          include: ['test/integration/**/*.test.ts'],
          globalSetup: ['test/support/build-programs.ts'],
          testTimeout: 300_000,
          expect: patient,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          globalSetup: ['test/support/build-programs.ts'],
          testTimeout: 600_000,
          expect: patient,
          hookTimeout: 300_000,
          fileParallelism: false,
        },
      },
    ],
    coverage: {
      provider: 'v8',
      include: ['proto/**/*.ts', 'trust/**/*.ts', 'controller/**/*.ts', 'agent/**/*.ts', 'cli/**/*.ts'],
      exclude: ['**/*.test.ts', 'proto/gen/**', '**/main.ts'],
      reporter: ['json-summary', 'json'],
      // A failed test must not hide that the thresholds are missed too.
      reportOnFailure: true,
      thresholds: {
        'controller/desired-state/**': { branches: 100 },
        'controller/rollout/**': { branches: 100 },
        'agent/update/**': { branches: 100 },
      },
    },
  },
})
