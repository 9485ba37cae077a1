import fc from 'fast-check'

// A run that failed can be repeated, by anyone; `SEED=N` asks the properties about other inputs.
fc.configureGlobal({ seed: Number(process.env['SEED'] ?? '1') })
