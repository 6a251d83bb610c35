//! What each action is done to: the kind of object that its permission is asked for.

use super::Action;

/// The kind of an action's object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The platform itself.
    Platform,
    /// A user.
    User,
    /// A group.
    Group,
    /// A project.
    Project,
    /// A config file.
    ConfigFile,
    /// A version of a config file.
    ConfigCommit,
    /// A job.
    Job,
    /// A storage claim.
    Pvc,
    /// Something that is only found by the user or the group that it belongs to.
    Other,
}

impl Action {
    /// What the action is done to. Creating something is done to what it will belong to.
    pub const fn kind(self) -> Kind {
        match self {
            Self::ViewSelf
            | Self::Register
            | Self::CreateAdmin
            | Self::CreateUser
            | Self::SetPlatformRole
            | Self::ResetPassword
            | Self::SignInWithProvider
            | Self::CreateGroup
            | Self::ViewQueues
            | Self::PauseQueue
            | Self::ResumeQueue
            | Self::ViewStorageClasses
            | Self::OpenRequest
            | Self::ViewAuditClient
            | Self::ExportAuditLog
            | Self::ExportAudit
            | Self::ViewAuditExport
            | Self::ViewCluster
            | Self::RemoveOrphans => Kind::Platform,
            Self::ViewUser
            | Self::ViewUserPrivate
            | Self::UpdateUser
            | Self::DisableUser
            | Self::EnableUser
            | Self::DeleteUser
            | Self::CreatePasswordReset
            | Self::LinkIdentity
            | Self::ChangePassword
            | Self::CreateApiToken
            | Self::LogoutEverywhere
            | Self::UpdateUserSettings
            | Self::SetWebhook
            | Self::RemoveWebhook
            | Self::TestWebhook
            | Self::DisableWebhook => Kind::User,
            Self::ViewGroup
            | Self::UpdateGroup
            | Self::DeleteGroup
            | Self::AddGroupMembers
            | Self::SetGroupRole
            | Self::RemoveGroupMember
            | Self::AppointGroupAdmin
            | Self::SetGroupLimits
            | Self::LeaveGroup
            | Self::CreateProject
            | Self::ViewAuditEntry
            | Self::ViewAccess => Kind::Group,
            Self::ViewProject
            | Self::UpdateProject
            | Self::ArchiveProject
            | Self::RestoreProject
            | Self::DeleteProject
            | Self::SetProjectLimits
            | Self::SetGpuLimit
            | Self::SetProjectSchedule
            | Self::RepairNamespace
            | Self::CreateConfigFile
            | Self::CreatePvc
            | Self::BindPvc
            | Self::SubmitJob => Kind::Project,
            Self::UpdateConfigFile | Self::DeleteConfigFile | Self::ViewConfigFile => Kind::ConfigFile,
            Self::ViewCommit => Kind::ConfigCommit,
            Self::ViewJob | Self::CancelJob | Self::RetryJob | Self::SetJobPriority => Kind::Job,
            Self::ViewPvc
            | Self::UpdatePvc
            | Self::ResizePvc
            | Self::DeletePvc
            | Self::UnbindPvc
            | Self::ForceDeletePvc
            | Self::SetStoragePermissions
            | Self::ReadPvc
            | Self::WritePvc
            | Self::OpenFiles => Kind::Pvc,
            Self::SubmitToQueue
            | Self::Logout
            | Self::ViewSession
            | Self::EndSession
            | Self::ViewApiToken
            | Self::RevokeApiToken
            | Self::ViewRequest
            | Self::ReplyToRequest
            | Self::ResolveRequest
            | Self::ViewFileSession
            | Self::CloseFiles
            | Self::ViewNotification
            | Self::MarkNotificationsRead => Kind::Other,
        }
    }
}
