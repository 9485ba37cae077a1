import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    passWithNoTests: false,
    projects: [
      {
        test: {
          name: 'unit',
          include: ['{proto,controller,agent,cli}/**/*.test.ts', 'test/architecture.test.ts'],
          testTimeout: 30_000,
        },
      },
      {
        test: {
          name: 'integration',
          include: ['test/integration/**/*.test.ts'],
          globalSetup: ['test/support/build-programs.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          globalSetup: ['test/support/build-programs.ts'],
          testTimeout: 600_000,
          hookTimeout: 300_000,
          fileParallelism: false,
        },
      },
    ],
    coverage: {
      provider: 'v8',
      include: ['proto/**/*.ts', 'controller/**/*.ts', 'agent/**/*.ts', 'cli/**/*.ts'],
      exclude: ['**/*.test.ts', 'proto/gen/**', '**/main.ts'],
      reporter: ['json-summary'],
      thresholds: {
        'controller/desired-state/**': { branches: 100 },
        'controller/rollout/**': { branches: 100 },
        'agent/update/**': { branches: 100 },
      },
    },
  },
})
