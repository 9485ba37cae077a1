/** Strategy of a fleet that names none. */
export const builtInStrategyName = 'default'

/** Wave of all hosts that no written wave reaches. */
export const restWaveName = 'rest'
