package engine

// The points between two steps of a run, in the order in which they are met.
// Killed at any of them, the next run goes on with the same result.
const (
	StepRunInserted  = "run.inserted"     // the run's row is there, the sync does not name it yet
	StepRunBegun     = "run.begun"        // the sync names the run
	StepPassNamed    = "pass.named"       // the sync names a new pass, which has no row yet
	StepPassInserted = "pass.inserted"    // the pass has its row, not yet its shards
	StepStaged       = "item.staged"      // an item's content stands under a staging name
	StepReserved     = "commit.reserved"  // names are reserved
	StepSettled      = "commit.settled"   // content and earlier placements are durable
	StepDropped      = "commit.dropped"   // earlier records are dropped
	StepAppended     = "commit.appended"  // the record is there: the outcomes are decided
	StepPlaced       = "apply.placed"     // one file has its final name
	StepFiles        = "apply.files"      // all files are where they belong
	StepCatalogue    = "apply.catalogue"  // objects are upserted
	StepRemoved      = "apply.removed"    // rows and reservations that go are gone
	StepNotes        = "apply.notes"      // absences and dead letters are noted
	StepEvents       = "apply.events"     // events are told
	StepFolded       = "apply.folded"     // the shard stands after the record
	StepJudged       = "pass.judged"      // absences were judged
	StepPassDone     = "pass.done"        // the pass is done, the run is open
	StepRunClosed    = "run.closed"       // the run has its final ledger
	StepSyncFolded   = "sync.folded"      // the sync's totals hold it
	StepPassCleared  = "pass.cleared"     // rows of the ended pass are gone
	StepRedone       = "recover.redone"   // a record left behind is redone
	StepFenced       = "recover.fenced"   // a worker that was taken over can append no more
	StepRecovered    = "recover.finished" // what an earlier run left is closed
)

// Steps lists them, for tests that kill at each.
func Steps() []string {
	return []string{
		StepRunInserted, StepRunBegun, StepPassNamed, StepPassInserted, StepStaged, StepReserved, StepSettled, StepDropped, StepAppended,
		StepPlaced, StepFiles, StepCatalogue, StepRemoved, StepNotes, StepEvents, StepFolded, StepJudged, StepPassDone,
		StepRunClosed, StepSyncFolded, StepPassCleared, StepRedone, StepFenced, StepRecovered,
	}
}
