//! Makes storage claims larger.

use async_graphql::{Context, InputObject, SimpleObject};
use serde_json::json;

use super::classes;
use super::creation::fits;
use super::event::{PvcEvent, about};
use super::model::{self, Claim};
use super::mutation::{locked, permitted, wake};
use super::phase::{PvcEventKind, PvcPhase};
use super::size::Size;
use super::types::Pvc;
use crate::auth::acting::CallerExt;
use crate::auth::policy::Action;
use crate::change::Done;
use crate::error::{ApiError, ApiErrors, both};
use crate::graphql::ids::GivenId;
use crate::graphql::scalars::Quantity;
use crate::ids::PvcKind;

/// Input for `resizePvc`.
#[derive(Debug, InputObject)]
pub struct ResizePvcInput {
    /// The ID of the claim. You must be responsible for it.
    pub id: GivenId<PvcKind>,
    /// The new size, larger than the present one: `"20Gi"`.
    pub size: Quantity,
}

/// Result of `resizePvc`.
#[derive(Debug, SimpleObject)]
pub struct ResizePvcPayload {
    /// The claim with its new size. `resize` and `capacity` say when the volume has it.
    pub pvc: Pvc,
}

pub(super) async fn resize(ctx: &Context<'_>, input: ResizePvcInput) -> Result<ResizePvcPayload, ApiErrors> {
    ctx.caller().principal()?;
    let (id, size) = both(input.id.at("input.id"), Size::parse(&input.size, "input.size"))?;
    let (claim, change) = permitted(ctx, id, Action::ResizePvc).await?;
    if size.bytes > claim.size_bytes {
        classes::check_expansion(ctx, claim.storage_class.as_deref()).await.map_err(|error| error.at("input.id"))?;
    }
    let claim = change
        .commit(async |writes| {
            let before = locked(writes, id).await?;
            check(&before, &size)?;
            if size.bytes == before.size_bytes {
                return Ok(Done::nothing().with(before));
            }
            fits(writes, &before, size.bytes - before.size_bytes, "input.size").await?;
            let claim = Claim {
                size: size.text.clone(),
                size_bytes: size.bytes,
                resize: None,
                resize_message: None,
                ..before.clone()
            };
            model::resize(writes, &claim).await?;
            let event = PvcEvent::of(&claim, PvcEventKind::ResizeRequested);
            let message = Some(format!("From {} to {}.", before.size, claim.size));
            writes.tell(about(&claim), &PvcEvent { message, ..event })?;
            let done = Done::to(id, json!({ "before": before.size, "after": claim.size }));
            let done = claim.project_id.into_iter().fold(done, Done::in_project);
            Ok(done.with(claim))
        })
        .await?;
    wake(ctx);
    Ok(ResizePvcPayload { pvc: claim.into() })
}

fn check(claim: &Claim, size: &Size) -> Result<(), ApiError> {
    match claim.phase {
        PvcPhase::Submitted | PvcPhase::Pending | PvcPhase::Bound => {}
        PvcPhase::Lost | PvcPhase::Failed | PvcPhase::Deleting => {
            let message = format!("the claim is {}, so it cannot be made larger", claim.phase.as_str());
            return Err(ApiError::conflict(message).at("input.id"));
        }
    }
    if size.bytes < claim.size_bytes {
        let message = format!(
            "size was {}, but the claim has {}: a volume cannot be made smaller; create a smaller claim and copy the data",
            size.text, claim.size
        );
        return Err(ApiError::bad_input("input.size", message));
    }
    Ok(())
}
