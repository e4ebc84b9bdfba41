//! Jobs without a bus.

use std::sync::mpsc;

use super::*;

fn request(uid: u32, objects: Vec<ObjectId>) -> Request {
    Request {
        operation: Operation::SaveSession,
        uid,
        objects,
    }
}

fn device(diskseq: u64, partition: u32) -> ObjectId {
    ObjectId::Device(DeviceId::partition(diskseq, partition))
}

/// Starts a job that ends when its sender is dropped, or with `Cancelled` when asked to stop.
fn held_job(jobs: &Jobs, uid: u32, objects: Vec<ObjectId>) -> (JobId, mpsc::Sender<()>) {
    let (release, held) = mpsc::channel();
    let id = jobs.start(request(uid, objects), move |job: &JobHandle| {
        while held.recv_timeout(Duration::from_millis(5)) == Err(mpsc::RecvTimeoutError::Timeout) {
            if job.is_cancelled() {
                return Err(Failure::new(FailureKind::Cancelled, "stopped"));
            }
        }
        Ok(Facts::new())
    });
    (id.unwrap(), release)
}

async fn finished(jobs: &Jobs, id: JobId) -> Outcome {
    let mut changes = jobs.watch();
    let wait = async {
        loop {
            if let Some(outcome) = jobs.view(id).unwrap().outcome {
                return outcome;
            }
            changes.changed().await.unwrap();
        }
    };
    tokio::time::timeout(Duration::from_secs(10), wait)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_job_tells_its_facts_when_done() {
    let jobs = Jobs::new();
    let id = jobs.start(request(0, vec![]), |job: &JobHandle| {
        job.phase(Phase::Copying);
        job.total(10, 1);
        job.advance(10, 1);
        Ok::<_, Failure>(Facts::new().with("files", 3_u64))
    });
    let id = id.unwrap();
    let Outcome::Done(facts) = finished(&jobs, id).await else {
        panic!("not done")
    };
    assert_eq!(facts.get("files"), Some(&Fact::Number(3)));
    let view = jobs.view(id).unwrap();
    assert_eq!(
        (view.state, view.progress(), view.cancelable),
        (JobState::Done, 1.0, false)
    );
}

#[tokio::test]
async fn cancel_reaches_the_work_and_ends_as_cancelled() {
    let jobs = Jobs::new();
    let (id, _release) = held_job(&jobs, 0, vec![]);
    assert!(jobs.cancel(id));
    assert!(matches!(finished(&jobs, id).await, Outcome::Cancelled(_)));
    assert!(!jobs.cancel(id), "a finished job cannot be cancelled");
    assert!(!jobs.cancel(JobId(99)));
}

#[tokio::test]
async fn once_its_work_counts_a_job_can_be_cancelled_again() {
    let jobs = Jobs::new();
    let (ready, wait) = mpsc::channel();
    let id = jobs.start(request(0, vec![]), move |job: &JobHandle| {
        job.point_of_no_return()?;
        job.may_end_here();
        ready.send(()).unwrap();
        while !job.is_cancelled() {
            std::thread::yield_now();
        }
        assert!(job.point_of_no_return().is_err());
        Ok::<_, Failure>(Facts::new())
    });
    let id = id.unwrap();
    wait.recv().unwrap();
    assert!(jobs.view(id).unwrap().cancelable && jobs.cancel(id));
    assert!(matches!(finished(&jobs, id).await, Outcome::Done(_)));
    assert!(jobs.view(id).unwrap().point_of_no_return);
}

#[tokio::test]
async fn past_the_point_of_no_return_nothing_is_cancelled() {
    let jobs = Jobs::new();
    let (release, held) = mpsc::channel::<()>();
    let (passed, wait) = mpsc::channel();
    let id = jobs.start(request(0, vec![]), move |job: &JobHandle| {
        job.point_of_no_return()?;
        passed.send(()).unwrap();
        held.recv().unwrap_err();
        Ok::<_, Failure>(Facts::new())
    });
    wait.recv().unwrap();
    assert!(!jobs.cancel(id.clone().unwrap()));
    drop(release);
    assert!(matches!(
        finished(&jobs, id.unwrap()).await,
        Outcome::Done(_)
    ));
}

#[tokio::test]
async fn an_unplugged_device_fails_its_job_with_gone() {
    let jobs = Jobs::new();
    let (id, _release) = held_job(&jobs, 0, vec![device(7, 1)]);
    let mut world = World::default();
    world
        .devices
        .insert(DeviceId::partition(7, 1), crate::model::Device::default());
    jobs.drop_gone(&world);
    assert!(jobs.view(id).unwrap().cancelable);
    jobs.drop_gone(&World::default());
    let Outcome::Failed(failure) = finished(&jobs, id).await else {
        panic!("not failed")
    };
    assert_eq!(failure.kind, FailureKind::Gone);
}

#[tokio::test]
async fn two_jobs_never_share_a_disk() {
    let jobs = Jobs::new();
    let (id, release) = held_job(&jobs, 0, vec![device(7, 1)]);
    let refused = jobs.start(request(1, vec![device(7, 2)]), |_| {
        Ok::<_, Failure>(Facts::new())
    });
    assert_eq!(refused, Err(Refused::InUse(id, device(7, 2))));
    drop(release);
    finished(&jobs, id).await;
    held_job(&jobs, 1, vec![device(7, 2)]);
}

#[tokio::test]
async fn quotas_are_per_user() {
    let jobs = Jobs::new();
    let held: Vec<_> = (0..MAX_ACTIVE_PER_UID)
        .map(|_| held_job(&jobs, 5, vec![]))
        .collect();
    let refused = jobs.start(request(5, vec![]), |_| Ok::<_, Failure>(Facts::new()));
    assert_eq!(refused, Err(Refused::TooMany));
    held_job(&jobs, 6, vec![]);
    assert_eq!(held.len(), MAX_ACTIVE_PER_UID);
}

#[tokio::test]
async fn finished_jobs_are_few_and_forgotten_in_time() {
    let jobs = Jobs::new();
    for _ in 0..3 * MAX_FINISHED_PER_UID {
        let id = jobs
            .start(request(0, vec![]), |_| Ok::<_, Failure>(Facts::new()))
            .unwrap();
        finished(&jobs, id).await;
    }
    assert_eq!(jobs.views().len(), MAX_FINISHED_PER_UID);
    jobs.forget_old(Instant::now());
    assert!(jobs.next_to_forget().is_some());
    jobs.forget_old(Instant::now() + KEEP_FINISHED);
    assert!(jobs.next_to_forget().is_none() && jobs.views().is_empty());
}

#[tokio::test]
async fn a_stopping_daemon_takes_no_more_jobs() {
    let jobs = Jobs::new();
    let (id, _release) = held_job(&jobs, 0, vec![]);
    jobs.stop();
    assert!(matches!(finished(&jobs, id).await, Outcome::Cancelled(_)));
    let refused = jobs.start(request(0, vec![]), |_| Ok::<_, Failure>(Facts::new()));
    assert_eq!(refused, Err(Refused::Stopping));
}

#[tokio::test]
async fn a_panic_ends_the_job_only() {
    let jobs = Jobs::new();
    let id = jobs.start(request(0, vec![]), |_| -> Result<Facts, Failure> {
        panic!("oh")
    });
    let Outcome::Failed(failure) = finished(&jobs, id.unwrap()).await else {
        panic!("not failed")
    };
    assert!(failure.message.ends_with("oh"), "{failure}");
}
