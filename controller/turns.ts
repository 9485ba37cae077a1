/** Runs one at a time, in the order given: two that come together must not both find the same thing free. */
export function openTurns(): <Result>(decide: () => Promise<Result>) => Promise<Result> {
  let last: Promise<unknown> = Promise.resolve()
  return (decide) => {
    const turn = last.then(decide, decide)
    last = turn.catch(() => undefined)
    return turn
  }
}
